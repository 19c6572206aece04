"""How well each teacher fits a task: the similarity of all of them on the labeled images, and their weights."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import DamagedFileError, InvalidInputError, StorageError, TooFewLabelsError, UnknownNameError
from engine.features import FeatureStore, describes, extract
from engine.methods import METHODS
from engine.similarity import METRICS, score
from engine.tasks import Draw, Task, usual_draw
from engine.teachers import TeacherRecord, all_teachers, get_teacher, relation
from engine.weighting import active, effective_number, ranking_possible, weights
from engine.workspace import Workspace

DEFAULT_METRIC = "parc"
# Labeled images that a ranking looks at. Ours: by 2,000 the order of teachers has long settled, and the metrics whose
# time grows with the pairs take a second or two a teacher.
MOST_RANKED = 2_000
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Candidate:
    """A teacher, and whether it may teach a task."""

    teacher: TeacherRecord
    relation: str  # "other", "disjoint" (allowed, and said so) or "same" (refused)
    lacking: int = 0  # training images of which a teacher without a network says nothing: they came after it
    damage: str | None = None  # what is wrong with the outputs of a teacher without a network

    @property
    def allowed(self) -> bool:
        """Whether it may teach."""
        return self.relation != "same" and not self.lacking and self.damage is None

    @property
    def reason(self) -> str | None:
        """Why it may not teach, where that is not what it has seen; None otherwise."""
        if self.damage is not None or not self.lacking:
            return self.damage
        return (
            f"Its network is not here, and of {self.lacking:,} training images what it says is missing: add it again "
            "from a table of all images."
        )


@dataclass(frozen=True)
class Ranked:
    """A teacher with its similarity, and its rank: 1 is the best; equals share the better rank."""

    teacher: TeacherRecord
    relation: str
    similarity: float
    rank: int


@dataclass(frozen=True)
class Unranked:
    """A teacher that the metric cannot judge, and why: it has no pseudo-labels, or its outputs are not usable."""

    teacher: TeacherRecord
    reason: str


@dataclass(frozen=True)
class Ranking:
    """Teachers of a task, the most similar first.

    problem: one sentence when no ranking is possible with these labels; `ranked` is then empty.
    unranked: candidates that the metric cannot judge; they have no weight.
    """

    metric: str
    labeled_images: int
    draw: Draw
    candidates: tuple[TeacherRecord, ...]  # all that may teach, by name
    ranked: tuple[Ranked, ...]
    excluded: tuple[Candidate, ...]
    problem: str | None = None
    unranked: tuple[Unranked, ...] = ()

    def alpha(self, p: float, *, features_suffice: bool = False) -> dict[str, float]:
        """The weight at exponent `p` of each candidate that has pseudo-labels, before small ones are dropped; sums
        to 1. A teacher without pseudo-labels is ranked, but has nothing that the distillation loss could weigh; where
        features suffice, as for the consensus, it has its weight as well. Raises InvalidInputError if none is left.
        """
        names, similarities = self._similarities(features_suffice)
        if not names:
            raise InvalidInputError(
                "No teacher that was ranked has pseudo-labels, from which a student could learn: add one that has, or "
                f"choose a method to which the teachers' features suffice ({_by_features()})."
            )
        rule = METRICS[self.metric].rule
        return {name: float(a) for name, a in zip(names, weights(similarities, p, rule), strict=True)}

    @property
    def possible(self) -> bool:
        """Whether the similarities tell the teachers apart at all; otherwise every p gives equal shares."""
        similarities = self._similarities(features_suffice=True)[1]
        return self.problem is None and ranking_possible(similarities, METRICS[self.metric].rule)

    def _similarities(self, features_suffice: bool) -> tuple[list[str], NDArray[np.float64]]:
        if self.problem is not None:
            names = [t.name for t in self.candidates if features_suffice or t.has_pseudo_labels]
            return names, np.zeros(len(names))
        able = (r for r in self.ranked if features_suffice or r.teacher.has_pseudo_labels)
        by_name = sorted(able, key=lambda r: r.teacher.name)
        return [r.teacher.name for r in by_name], np.array([r.similarity for r in by_name])


def _by_features() -> str:
    return ", ".join(key for key, method in METHODS.items() if method.features_suffice)


def candidates(workspace: Workspace, task: Task, names: Sequence[str] | None = None) -> list[Candidate]:
    """All teachers whose features of the task's images can be had, or the named ones, with their relation to the task.

    Raises UnknownNameError, or InvalidInputError for a named one that is known by its outputs for another task only.
    """
    records = all_teachers(workspace) if names is None else [get_teacher(workspace, name) for name in names]
    found = []
    for teacher in records:
        if describes(teacher, task):
            lacking, damage = (0, None) if teacher.has_network else _lacking(workspace, task, teacher)
            related = relation(teacher, task.record.collection, task.record.parts)
            found.append(Candidate(teacher, related, lacking, damage))
        elif names is not None:
            raise InvalidInputError(
                f"The network of teacher {teacher.name!r} is not here, only what it says of the images of task "
                f"{teacher.weights.task!r} as they were then: leave it out."
            )
    return found


def allowed_teachers(workspace: Workspace, task: Task, names: Sequence[str] | None = None) -> list[TeacherRecord]:
    """Those of `candidates` that may teach the task; there may be none. Raises as `candidates`."""
    return [candidate.teacher for candidate in candidates(workspace, task, names) if candidate.allowed]


def _lacking(workspace: Workspace, task: Task, teacher: TeacherRecord) -> tuple[int, str | None]:
    """Of how many training images a teacher without a network says nothing, or what is wrong with what it says."""
    try:
        return len(FeatureStore(workspace, task, teacher).missing(task.train_rows, 0)), None
    except (DamagedFileError, StorageError) as error:
        return 0, str(error)


def who_may_teach(task: Task, everyone: Sequence[Candidate]) -> list[Candidate]:
    """Those of `everyone` that may teach the task, by name. Raises InvalidInputError if none may."""
    allowed = sorted((c for c in everyone if c.allowed), key=lambda c: c.teacher.name)
    if not allowed:
        raise InvalidInputError(
            f"No teacher may teach task {task.name!r}: each of those asked has seen its images, or says nothing of "
            "some of them. Name or add another teacher."
        )
    return allowed


def ranked_rows(task: Task, draw: Draw) -> NDArray[np.int64]:
    """The labeled images of a draw that a ranking looks at, sorted: all of them up to `MOST_RANKED`.

    Of more, as many of each class as there is room for, by the same lot as a smaller draw. Where that would be fewer
    than `Draw` has for usual, so many of some classes, drawn by the same seed. Raises as `Task.labeled_rows`.
    """
    rows = task.labeled_rows(draw)
    if len(rows) <= MOST_RANKED:
        return rows
    counts = np.bincount(task.labels[rows], minlength=len(task.classes))
    room = bisect_right(range(1, MOST_RANKED + 1), MOST_RANKED, key=lambda each: int(np.minimum(counts, each).sum()))
    fewest = min(draw.labels_per_class, Draw.labels_per_class)
    if room >= fewest:
        return task.labeled_rows(Draw(room, draw.seed))
    order = np.random.default_rng([draw.seed, _CLASS_STREAM]).permutation(len(counts))
    chosen = order[np.cumsum(np.minimum(counts, fewest)[order]) <= MOST_RANKED]
    rows = task.labeled_rows(Draw(fewest, draw.seed))
    return np.asarray(rows[np.isin(task.labels[rows], chosen)])


def rank(
    workspace: Workspace,
    task: Task,
    *,
    metric: str = DEFAULT_METRIC,
    draw: Draw | None = None,
    teachers: Sequence[str] | None = None,
    device: str = "cpu",
    progress: Progress = lambda done, total, stage: None,
) -> Ranking:
    """Rank teachers by their similarity to a task, on `ranked_rows` of a draw, the usual one if none is given; test
    images take no part.

    Outputs come from the cache where it has them. Raises UnknownNameError for an unknown metric or teacher,
    InvalidInputError if no teacher may teach the task.
    """
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    if "record" in METRICS[metric].needs:
        raise InvalidInputError(f"The metric {metric!r} does not use the images: choose another one for weights.")
    everyone = candidates(workspace, task, teachers)
    allowed = who_may_teach(task, everyone)
    draw = draw or usual_draw(task)
    rows = ranked_rows(task, draw)
    wanted = [c.teacher for c in allowed]
    extract(workspace, task, wanted, rows, device=device, progress=progress)
    ranked: tuple[Ranked, ...] = ()
    problem = None
    scored: list[tuple[Candidate, float]] = []
    unranked: list[Unranked] = []
    try:
        for candidate in allowed:
            try:
                scored.append((candidate, _similarity(workspace, task, candidate.teacher, metric, rows)))
            except TooFewLabelsError:
                raise
            except InvalidInputError as error:  # one odd teacher is not to hide all others
                unranked.append(Unranked(candidate.teacher, str(error)))
        ranked = _in_order(scored)
    except TooFewLabelsError as error:
        problem, unranked = str(error), []
    if problem is None and not ranked:
        raise InvalidInputError(f"No teacher can be ranked: {unranked[0].reason}")
    return Ranking(
        metric=metric,
        labeled_images=len(rows),
        draw=draw,
        candidates=tuple(wanted),
        ranked=ranked,
        excluded=tuple(c for c in everyone if not c.allowed),
        problem=problem,
        unranked=tuple(unranked),
    )


def active_weights(alpha: dict[str, float]) -> dict[str, float]:
    """The weights that take part: those below .001 dropped, the rest summing to 1, by name."""
    names = sorted(alpha)
    kept = active(np.array([alpha[name] for name in names]))
    return {name: float(a) for name, a in zip(names, kept, strict=True) if a > 0}


def drawn_at_random(teachers: Sequence[TeacherRecord], seed: int) -> dict[str, float]:
    """The weight 1 on one teacher that the seed draws."""
    names = sorted(t.name for t in teachers)
    return {names[int(np.random.default_rng([seed, _RANDOM_STREAM]).integers(len(names)))]: 1.0}


def effective_teachers(alpha: dict[str, float]) -> float:
    """exp(entropy of α): 1 for one teacher, n for n equal shares."""
    return effective_number(np.array(list(alpha.values())))


_RANDOM_STREAM, _CLASS_STREAM = 0x107, 0xC1A55


def _in_order(scored: Sequence[tuple[Candidate, float]]) -> tuple[Ranked, ...]:
    best_first = sorted(scored, key=lambda pair: (-pair[1], pair[0].teacher.name))
    return tuple(Ranked(c.teacher, c.relation, s, 1 + sum(other > s for _, other in scored)) for c, s in best_first)


def _similarity(
    workspace: Workspace, task: Task, teacher: TeacherRecord, metric: str, rows: NDArray[np.int64]
) -> float:
    chosen = METRICS[metric]
    if not teacher.has_pseudo_labels and "pseudo_labels" in (*chosen.needs, *chosen.needs_one_of):
        raise InvalidInputError(f"{chosen.title} needs pseudo-labels, and {teacher.title} has none.")
    outputs = FeatureStore(workspace, task, teacher).read(rows)
    value = score(
        metric,
        features=outputs.features,
        labels=task.labels[rows],
        pseudo_labels=outputs.pseudo_labels if teacher.has_pseudo_labels else None,
    )
    if not math.isfinite(value):
        raise InvalidInputError(f"The metric {metric!r} gives no number for teacher {teacher.name!r}: choose another.")
    return value
