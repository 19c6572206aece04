"""Every metric on every teacher of a task, with intervals, as a job of its own and as a file that stays.

The command line prints what `as_document` gives, and the Teachers page reads the panel from the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import DamagedFileError, InvalidInputError, StorageError, WorkbenchError
from engine.evaluation import Interval
from engine.evaluation.arrays import FloatArray
from engine.features import FeatureStore, extract
from engine.files import canonical_hash
from engine.jobs import INTERACTIVE, Job, Reporter, request
from engine.records import read_value, record_from, write_record
from engine.runs.extraction_job import progress_to, task_as_asked
from engine.runs.ranking import Progress, candidates, ranked_rows, who_may_teach
from engine.similarity import METRICS, MeanRanks, Standing, Standings, metric, standings
from engine.tasks import Draw, Task, read_groups, usual_draw
from engine.teachers import TeacherRecord
from engine.workspace import Workspace

KIND = "panel"
ALL = "all"  # the name for every metric at once
RESAMPLES = 200  # the half-width of an interval then moves by about 5 % from one seed to another (ours)
SCORING = "Scoring the teachers"
_FILE = ("a ranking by all metrics", "remove it")  # what a file holds, and the way out where it is damaged


@dataclass(frozen=True)
class Place:
    """One teacher under one metric, or by mean rank, which is then the score and lower is better."""

    teacher: str
    score: float
    rank: int  # 1 is the best; equals share the better rank
    interval: Interval | None  # of the score
    probability_first: float | None  # share of resamples in which it comes first


@dataclass(frozen=True)
class MetricPlaces:
    """All teachers under one metric, the best first.

    problem: why there are no places. doubt: why they have no intervals. undecided: pairs that the labels do not tell
    apart; None without resamples.
    """

    metric: str
    places: tuple[Place, ...]
    undecided: tuple[tuple[str, str], ...] | None
    problem: str | None
    doubt: str | None


@dataclass(frozen=True)
class MeanRankPlaces:
    """All teachers by their mean rank over `metrics`, the best first, and how far the metrics agree."""

    metrics: tuple[str, ...]
    kendall: tuple[tuple[float | None, ...], ...]  # weighted tau between each two of them, -1 to 1
    places: tuple[Place, ...]
    undecided: tuple[tuple[str, str], ...] | None


@dataclass(frozen=True)
class TeacherPanel:
    """What all metrics say of the teachers that may teach a task, on one draw of labeled images."""

    task: str
    task_revision: str
    labels_per_class: int
    labeled_images: int
    seed: int
    resamples: int
    teachers: tuple[str, ...]
    metrics: tuple[MetricPlaces, ...]
    mean_rank: MeanRankPlaces | None

    def under(self, key: str) -> MetricPlaces | None:
        """The places under the metric `key`, or None if it took no part."""
        return next((found for found in self.metrics if found.metric == key), None)


def teacher_panel(
    workspace: Workspace,
    task: Task,
    *,
    metrics: Sequence[str] | None = None,
    draw: Draw | None = None,
    teachers: Sequence[str] | None = None,
    resamples: int = 0,
    device: str = "cpu",
    progress: Progress = lambda done, total, stage: None,
) -> TeacherPanel:
    """Score the teachers by `metrics` (all by default) on `ranked_rows` of a draw, the usual one if none is given; no
    test image is read.

    With `resamples` (2 or more; 0 for none) each score has a 95 % interval from as many draws of half the labels, of
    whole groups where the task has groups. Outputs come from the cache where it has them. Raises UnknownNameError for
    an unknown metric or teacher, InvalidInputError if no teacher may teach the task or for a single resample,
    DamagedFileError.
    """
    keys = [metric(name).key for name in metrics or METRICS]
    if resamples < 0 or resamples == 1:
        raise InvalidInputError(f"{resamples} resamples give no interval: ask for 2 or more, or 0 for none.")
    records = _allowed(workspace, task, teachers)
    draw = draw or usual_draw(task)
    rows = ranked_rows(task, draw)
    groups = read_groups(task.folder) if resamples else None
    extract(workspace, task, records, rows, device=device, progress=progress)

    def scored(among: Sequence[TeacherRecord], by: Sequence[str]) -> Standings:
        return standings(
            [_arrays(FeatureStore(workspace, task, record), rows) for record in among],
            task.labels[rows],
            by,
            records=_from_records(among, draw.seed),
            groups=None if groups is None else groups[rows],
            draws=resamples,
            threads=torch.get_num_threads(),
            progress=lambda done, total: progress(done, total, SCORING),
        )

    names = tuple(record.name for record in records)
    speaking = [record for record in records if record.has_pseudo_labels]
    known = _from_records(records, draw.seed)
    askable = [key for key in keys if METRICS[key].of_outputs or key in known]
    on_classes = [key for key in askable if "pseudo_labels" in METRICS[key].needs]
    if len(speaking) in (0, len(records)):
        on_classes = []
    # Metrics that use pseudo-labels rank those that have some, and take no part in the mean rank of all.
    found = scored(records, [key for key in askable if key not in on_classes])
    by_key = {key: _places(key, standing, names) for key, standing in found.by_metric.items()}
    if on_classes:
        able = tuple(record.name for record in speaking)
        among = scored(speaking, on_classes)
        by_key |= {key: _places(key, standing, able) for key, standing in among.by_metric.items()}
    return TeacherPanel(
        task=task.name,
        task_revision=task.revision,
        labels_per_class=draw.labels_per_class,
        labeled_images=len(rows),
        seed=draw.seed,
        resamples=resamples,
        teachers=names,
        metrics=tuple(by_key.get(key) or MetricPlaces(key, (), None, METRICS[key].unknown, None) for key in keys),
        mean_rank=_mean_rank_places(found.mean_ranks, names),
    )


def as_document(
    workspace: Workspace, found: TeacherPanel, task: Task, asked: Sequence[str] | None = None
) -> dict[str, Any]:
    """One JSON document of a panel for a reader: places with titles, units, collections, and who was left out.

    asked: the teachers that were named, None for all.
    """
    everyone = candidates(workspace, task, asked)
    about = {c.teacher.name: {"collection": c.teacher.collection, "relation": c.relation} for c in everyone}
    left_out = [
        {"teacher": c.teacher.name, "reason": c.reason or seen_sentence(task.record.title)}
        for c in everyone
        if not c.allowed
    ]
    ranked = {place.teacher for place in found.metrics[0].places} if len(found.metrics) == 1 else set(found.teachers)
    silent = [
        {"teacher": c.teacher.name, "reason": "it has no pseudo-labels, which this metric needs"}
        for c in everyone
        if c.teacher.name in found.teachers and c.teacher.name not in ranked and not c.teacher.has_pseudo_labels
    ]
    document = {key: value for key, value in asdict(found).items() if key not in ("teachers", "metrics", "mean_rank")}
    document["labels"] = len(task.labeled_rows(Draw(found.labels_per_class, found.seed)))
    if len(found.metrics) == 1:
        one = asdict(found.metrics[0])
        rows = [{**about[place["teacher"]], "similarity": place.pop("score"), **place} for place in one.pop("places")]
        return {**document, **one, "ranking": rows, "excluded": left_out, "unranked": silent}
    metrics = [
        {"metric": m.metric, "title": METRICS[m.metric].title, "unit": METRICS[m.metric].unit, **asdict(m)}
        for m in found.metrics
    ]
    return {
        **document,
        "metric": ALL,
        "metrics": metrics,
        "consensus": found.mean_rank and asdict(found.mean_rank),  # the key that scripts of version 0.1 read
        "teachers": [{"teacher": name, **about[name]} for name in found.teachers],
        "excluded": left_out,
        "unranked": silent,
    }


def seen_sentence(title: str) -> str:
    """Why a teacher may not teach the task of that title."""
    return f"its training images may include those of {title!r}"


def panel_spec(workspace: Workspace, task: Task, draw: Draw) -> dict[str, Any]:
    """All that the panel of every metric with intervals depends on: images, labels, split, groups, draw, metrics,
    teachers.
    """
    return {
        "task": task.name,
        "task_revision": task.revision,
        "labels_per_class": draw.labels_per_class,
        "seed": draw.seed,
        "resamples": RESAMPLES,
        "metrics": list(METRICS),
        "teachers": {record.name: record.key for record in _allowed(workspace, task, None)},
        **_groups_of_spec(task),
    }


def _groups_of_spec(task: Task) -> dict[str, str]:
    """The groups that intervals are over, as a hash; nothing where a task has none, as before there were any."""
    try:
        groups = read_groups(task.folder)
    except (DamagedFileError, StorageError):  # the job says so
        return {"groups": "unknown"}
    return {} if groups is None else {"groups": canonical_hash(groups.tolist(), 12)}


def known_panel(workspace: Workspace, task: Task, draw: Draw) -> TeacherPanel | None:
    """The panel that `request_panel` left in the workspace, or None while there is none."""
    try:
        path = _path(workspace, panel_spec(workspace, task, draw))
        value = read_value(path, *_FILE)
        if isinstance(value, dict) and "consensus" in value:  # what version 0.1 called it
            value["mean_rank"] = value.pop("consensus")
        return record_from(value, TeacherPanel, path, *_FILE)
    except WorkbenchError:  # it is computed again
        return None


def request_panel(workspace: Workspace, task: Task, draw: Draw, device: str) -> Job:
    """Queue the job that computes the panel of all metrics with intervals. Asking twice gives the same job; one that
    ended early is queued again.
    """
    spec = panel_spec(workspace, task, draw)
    return request(workspace.jobs, f"panel-{task.name}", kind=KIND, spec=spec, device=device, lane=INTERACTIVE)


def execute_panel(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    task = task_as_asked(workspace, job)
    found = teacher_panel(
        workspace,
        task,
        metrics=job.spec["metrics"],
        draw=Draw(job.spec["labels_per_class"], job.spec["seed"]),
        teachers=list(job.spec["teachers"]),
        resamples=job.spec["resamples"],
        device=job.device,
        progress=progress_to(report, {SCORING: "scorings"}),
    )
    write_record(_path(workspace, job.spec), found)


def _allowed(workspace: Workspace, task: Task, teachers: Sequence[str] | None) -> list[TeacherRecord]:
    """The teachers that may teach, by name."""
    return [candidate.teacher for candidate in who_may_teach(task, candidates(workspace, task, teachers))]


def _arrays(store: FeatureStore, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """What the metrics see of a teacher; one without classes has features alone."""
    outputs = store.read(rows)
    if not store.teacher.has_pseudo_labels:
        return {"features": outputs.features}
    return {"features": outputs.features, "pseudo_labels": outputs.pseudo_labels}


def _from_records(records: Sequence[TeacherRecord], seed: int) -> dict[str, list[float]]:
    """Scores by the metrics that read the records, where all of these have what they read."""
    found = {}
    for key, one in METRICS.items():
        if one.of_record:
            values = [one.of_record(record, seed) for record in records]
            found[key] = [value for value in values if value is not None]
    return {key: values for key, values in found.items() if len(values) == len(records)}


def _path(workspace: Workspace, spec: Mapping[str, Any]) -> Path:
    return workspace.rankings / f"{spec['task']}-{canonical_hash(dict(spec), 12)}.json"


def _places(key: str, standing: Standing, names: Sequence[str]) -> MetricPlaces:
    if standing.problem is not None:
        return MetricPlaces(key, (), None, standing.problem, None)
    doubts = standing.uncertainty
    undecided = _named(doubts.undecided, names) if doubts else None
    intervals, first = (doubts.intervals, doubts.probability_first) if doubts else (None, None)
    return MetricPlaces(
        key, _ordered(names, standing.scores, standing.ranks, intervals, first), undecided, None, standing.doubt
    )


def _mean_rank_places(found: MeanRanks | None, names: Sequence[str]) -> MeanRankPlaces | None:
    if found is None or len(found.metrics) < 2:
        return None
    places = _ordered(names, found.values, found.values, found.intervals, found.probability_first)
    undecided = _named(found.undecided, names) if found.undecided is not None else None
    return MeanRankPlaces(found.metrics, found.kendall, places, undecided)


def _ordered(
    names: Sequence[str],
    scores: FloatArray,
    order: FloatArray,
    intervals: Sequence[Interval] | None,
    first: FloatArray | None,
) -> tuple[Place, ...]:
    """Places by rising `order`; equals by name."""
    places = [
        Place(
            name,
            float(scores[i]),
            1 + int((order < order[i]).sum()),
            intervals[i] if intervals is not None else None,
            float(first[i]) if first is not None else None,
        )
        for i, name in enumerate(names)
    ]
    return tuple(sorted(places, key=lambda place: (place.rank, place.teacher)))


def _named(pairs: Sequence[tuple[int, int]], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((names[i], names[j]) for i, j in pairs)
