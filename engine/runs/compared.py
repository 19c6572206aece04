"""A comparison as it is read: its results, their means, and the sentences that belong beside them.

The page Results and the report say the same of it, and take it from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.methods import place
from engine.results import RunResult, results_in
from engine.runs.comparison import Comparison, ConsensusMean, MethodMean, as_document, method_means, read_runs
from engine.runs.recorded import RECORDED
from engine.tasks import Task
from engine.wording import ALL_LABELS_INTERVALS, NO_BREAK, count, listed, percent
from engine.workspace import Workspace


@dataclass(frozen=True)
class Compared:
    """A comparison's numbers. unfinished: how many of its runs are not done. problems: why others cannot be shown."""

    id: str
    document: Mapping[str, Any]
    results: tuple[RunResult, ...]
    means: tuple[MethodMean, ...]  # in the order in which methods are listed
    unfinished: int = 0
    problems: tuple[str, ...] = ()

    @property
    def recorded(self) -> bool:
        """Whether it came with the program instead of having been run here."""
        return self.id == RECORDED

    @property
    def shared(self) -> Mapping[str, Any]:
        """What its runs share; see `engine.runs.comparison.Shared`."""
        found: Mapping[str, Any] = self.document.get("shared", {})
        return found

    @property
    def by_seed(self) -> dict[str, list[float]]:
        """Accuracies of each method's seeds."""
        found: dict[str, list[float]] = {}
        for result in self.results:
            found.setdefault(result.method, []).append(result.held_out_accuracy)
        return found

    @property
    def shared_seeds(self) -> tuple[int, ...]:
        """Those that all its methods have; a comparison whose runs are not all done may have more of some."""
        seeds = [{*mean.seeds} for mean in self.means]
        return tuple(sorted(set.intersection(*seeds))) if seeds else ()

    def comparable(self) -> Compared:
        """The same with the runs of `shared_seeds` alone; as it is where there are none."""
        seeds = self.shared_seeds
        results = [result for result in self.results if result.seed in seeds]
        if not results or len(results) == len(self.results):
            return self
        return _compared(self.id, self.document, results, self.unfinished, self.problems)


def read_compared(workspace: Workspace, comparison: Comparison) -> Compared:
    """What there is of a comparison's runs now."""
    found = read_runs(workspace, comparison)
    problems = tuple(lost.problem for lost in found.lost)
    unfinished = len(comparison.runs) - len(found.results) - len(problems)
    return _compared(comparison.id, as_document(comparison, found.results), found.results, unfinished, problems)


def recorded_compared(document: Mapping[str, Any], task: str) -> Compared:
    """A comparison of that task that came with the program, from its document. Raises DamagedFileError."""
    return _compared(RECORDED, document, results_in(document, Path(f"{task}.json")))


def _compared(
    id: str,
    document: Mapping[str, Any],
    results: Sequence[RunResult],
    unfinished: int = 0,
    problems: Sequence[str] = (),
) -> Compared:
    means = sorted(method_means(results), key=lambda mean: (place(mean.method), mean.method))
    return Compared(id, document, tuple(results), tuple(means), unfinished, tuple(problems))


def machine_of(document: Mapping[str, Any]) -> str:
    """On what it was recorded, in words."""
    named = document.get("machine") or next((result.get("machine") for result in document.get("results", ())), None)
    return str(named or "machine not written down")


def what_changed(shared: Mapping[str, Any], task: Task) -> list[str]:
    """What of a task is not as it was for runs that share `shared`; empty if all is as it was, or is not known. The
    size that the student sees is each comparison's own choice.
    """
    revision = shared.get("task_revision")
    if revision is None or revision == task.revision:
        return []
    other_split = "split" in shared and shared["split"] != task.record.split
    return [f"its {'split, labels or classes' if other_split else 'labels, images or geometry'} are others"]


def arithmetic_sentence(results: Sequence[RunResult]) -> str:
    """How a card computed these, a sentence; empty for runs on a CPU, which knows one way."""
    found = dict.fromkeys(result.arithmetic for result in results if result.arithmetic is not None)
    said = [
        f"{each.precision}{', channels last' if each.channels_last else ''}, with "
        f"{'repeatable' if each.repeatable else 'the quickest'} kernels"
        for each in found
    ]
    if not said:
        return ""
    return f"Computed in {' and in '.join(said)}{'' if len(said) == 1 else ': the last digits do not compare'}."


def starts_sentence(results: Sequence[RunResult], *, shares: bool = True) -> str:
    """Which students began as an average of their teachers, not with ImageNet weights: a sentence, or nothing.

    shares: whether it says how much of each teacher is in it, the mean over a method's runs.
    """
    by_title: dict[str, list[Mapping[str, float]]] = {}
    for result in results:
        if result.first_weights:
            by_title.setdefault(result.title, []).append(result.first_weights)
    if not by_title:
        return ""
    said = [title + (f" ({_in_shares(found)})" if shares else "") for title, found in by_title.items()]
    begins = "begin with the average of their" if len(said) > 1 else "begins with the average of its"
    others = any(not result.first_weights for result in results)
    rest = ", the others with ImageNet weights" if others else ""
    return f"{listed(said)} {begins} teachers' weights{rest}."


def mean_by_teacher(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over runs of what each says of each teacher; 0 where one says nothing."""
    names = {name for values in found for name in values}
    return {name: sum(values.get(name, 0.0) for values in found) / len(found) for name in names}


def _in_shares(found: Sequence[Mapping[str, float]]) -> str:
    means = mean_by_teacher(found)
    return ", ".join(f"{name} {percent(mean, 0)}" for name, mean in sorted(means.items(), key=lambda item: -item[1]))


def intervals_sentence(found: Compared) -> str:
    """What the intervals of a comparison's means cover."""
    kinds = sorted({mean.interval.method for mean in found.means})
    said = f"Points are to fine-tuning. Lines: 95{NO_BREAK}% {listed(kinds)}."
    if any("images" in kind for kind in kinds):
        return f"{said} With one seed it covers the choice of test images, not the choice of labels: more seeds do."
    if "all_labels" in found.shared:
        return f"{said} {ALL_LABELS_INTERVALS} Marks: single seeds. Differences are paired by seed."
    return f"{said} They cover the choice of labels. Marks: single seeds. Differences are paired by seed."


def consensus_sentence(found: Compared) -> str:
    """How often the consensus is right that students learned from, and how that was seen; empty where nobody knows."""
    judged = [(mean.title, mean.consensus) for mean in found.means if mean.consensus is not None]
    return " ".join(_of_consensus(title, one) for title, one in judged)


def _of_consensus(title: str, found: ConsensusMean) -> str:
    low, high = percent(found.interval.low), percent(found.interval.high)
    said = (
        f"the consensus that {title} learns from is right on {percent(found.accuracy)} ({low} to {high}) of "
        f"{count(found.images, 'label')} that it was not told (cross-validated: a {_PARTS.get(found.folds, 'part')} of "
        "the labels left out at a time, so that it had fewer than the student). A student near the line has learned "
        "what the consensus knows."
    )
    if found.unlabeled_accuracy is not None:
        said += (
            f" With all labels it is right on {percent(found.unlabeled_accuracy)} of the "
            f"{count(found.unlabeled_images, 'training image')} whose labels no method sees."
        )
    return said


_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth"}
_SHARED = {  # in the order of the sentence
    "task": "task {}",
    "labels_per_class": "{} labels per class",
    "all_labels": "all {:,} labels",
    "images": "{:,} student images each",
    "student": "student {}",
    "size": "images of {0} × {0} pixels",
    "start": "start from {} weights",
    "device": "device {}",
    "task_revision": "task revision {}",
    "split": "split {}",
}
_NAMES = {
    "task": "the task",
    "task_revision": "the task's revision",
    "split": "the split",
    "labels_per_class": "the number of labels per class",
    "student": "the student's architecture",
    "start": "the student's first weights",
    "size": "the image size",
    "images": "the budget of student images",
    "device": "the device",
    "seeds": "the seeds",
}


def shared_sentence(shared: Mapping[str, Any]) -> str:
    """What the runs of a comparison share, in one sentence."""
    left_out = {"labels_per_class"} if "all_labels" in shared else set()
    parts = [form.format(shared[name]) for name, form in _SHARED.items() if name in shared and name not in left_out]
    if seeds := shared.get("seeds"):
        parts.insert(2, f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(str(seed) for seed in seeds)}")
    return f"These runs share: {', '.join(parts)}." if parts else "These runs share nothing that was written down."


def differs_sentence(differs: Sequence[str]) -> str | None:
    """What the runs of a comparison do not share, in one sentence; None if they share all that matters."""
    if not differs:
        return None
    names = listed([_NAMES.get(name, name.replace("_", " ")) for name in differs])
    return f"These runs do not share: {names}. Their numbers do not compare fairly."
