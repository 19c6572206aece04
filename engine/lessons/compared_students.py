"""Students that lessons show: those of a task, by the exponent p of their teachers' weights, and the recorded eight
tasks, on which a method helped or did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import WorkbenchError
from engine.evaluation import PairedDifference, paired_difference
from engine.installation import bundled
from engine.methods import get_method, place
from engine.runs import (
    Compared,
    MethodMean,
    list_comparisons,
    read_compared,
    recorded_compared,
    recorded_comparison,
)
from engine.tasks import bundled_names
from engine.workspace import Workspace

RESULTS = bundled("results")
TARGETS = "targets"  # folder in it, with the recorded comparisons of tasks that do not come with the program


@dataclass(frozen=True)
class WeightedStudents:
    """A method's students of one task. p: the exponent of its weights; None where all or no teachers take part without.
    effective: effective number of teachers, mean over seeds; None without teachers.
    """

    p: float | None
    effective: float | None
    mean: MethodMean


@dataclass(frozen=True)
class RecordedGain:
    """A method's accuracy minus another's on one recorded task, paired by seed, -1 to 1; above 0 the first is better.

    accuracies: 0..1, mean over the seeds that both have, of the first and the second.
    """

    task: str
    difference: PairedDifference
    accuracies: tuple[float, float]


def students_of(workspace: Workspace, task: str) -> tuple[Compared, tuple[WeightedStudents, ...]] | None:
    """The students of the newest comparison of a task that has results and is about teachers, or of the recorded one;
    None where there is neither. A comparison that cannot be read is passed over: Results says what is wrong with it.
    """
    for compared in _comparisons(workspace, task):
        students = tuple(_weighted(compared, mean) for mean in sorted(compared.means, key=lambda m: place(m.method)))
        if any(found.effective is not None for found in students):
            return compared, students
    return None


def recorded_gains(method: str, reference: str, folder: Path = RESULTS) -> tuple[RecordedGain, ...]:
    """What `method` gained over `reference` on each recorded task that has both, the largest gain first.

    Raises DamagedFileError.
    """
    names = [(name, folder) for name in bundled_names()]
    names += [(path.stem, folder / TARGETS) for path in sorted((folder / TARGETS).glob("*.json"))]
    found = []
    for name, place_of in names:
        document = recorded_comparison(name, place_of)
        first, second = (_by_seed(document, key) for key in (method, reference))
        if document and (seeds := sorted(set(first) & set(second))):
            means = [sum(each[seed] for seed in seeds) / len(seeds) for each in (first, second)]
            images = int(document["results"][0]["test_images"])
            found.append(RecordedGain(name, paired_difference(first, second, images=images), (means[0], means[1])))
    return tuple(sorted(found, key=lambda gain: -gain.difference.mean))


def _comparisons(workspace: Workspace, task: str) -> list[Compared]:
    found = []
    for comparison in list_comparisons(workspace, task):
        try:
            found.append(read_compared(workspace, comparison))
        except WorkbenchError:
            continue
    if (document := recorded_comparison(task)) is not None:
        found.append(recorded_compared(document, task))
    return found


def _weighted(compared: Compared, mean: MethodMean) -> WeightedStudents:
    method = get_method(mean.method)
    numbers = [result.effective_teachers for result in compared.results if result.method == mean.method]
    known = [number for number in numbers if number is not None]
    return WeightedStudents(
        method.p if method.weights else None, sum(known) / len(known) if known and method.weights else None, mean
    )


def _by_seed(document: Mapping[str, Any] | None, method: str) -> dict[int, float]:
    results = document["results"] if document else ()
    return {int(r["seed"]): float(r["accuracy"]) for r in results if r["method"] == method}
