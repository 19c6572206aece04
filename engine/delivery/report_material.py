"""What the report is written from: a comparison, its task and its best student, as far as they can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from engine.delivery.calibration import Calibration, calibration_of
from engine.delivery.judged import Judged, judge
from engine.errors import InvalidInputError, UnknownNameError, WorkbenchError
from engine.images import square
from engine.predictions import Predictions
from engine.results import RunResult
from engine.review import open_task
from engine.runs import (
    Compared,
    Comparison,
    MethodMean,
    load_comparison,
    predictions_of,
    read_compared,
    recorded_compared,
    recorded_comparison,
    recorded_predictions,
)
from engine.runs.recorded import SEED
from engine.tasks import Task, groups_of
from engine.workspace import Workspace

RECORDED_PREFIX = "recorded:"  # before a task's name: the comparison of it that came with the program


@dataclass(frozen=True)
class ReportMaterial:
    """comparison: None for a recorded one. task: None where it cannot be read, and `task_problem` says why."""

    workspace: Workspace
    name: str  # as it was asked for
    compared: Compared
    comparison: Comparison | None
    task: Task | None
    task_problem: str

    @property
    def best(self) -> MethodMean:
        """The method with the highest accuracy."""
        return max(self.compared.means, key=lambda mean: mean.accuracy)

    @property
    def title(self) -> str:
        """Of the task."""
        return self.task.record.title if self.task else str(self.compared.document.get("task", ""))

    @property
    def same_task(self) -> bool:
        """Whether the task is still what these runs were made on."""
        return self.task is not None and self.compared.shared.get("task_revision") == self.task.revision

    @cached_property
    def student(self) -> RunResult:
        """The best method's student that the report looks at closely: that of the first seed, as nobody chose it."""
        return min((r for r in self.compared.results if r.method == self.best.method), key=lambda r: r.seed)

    @cached_property
    def judged(self) -> Judged:
        """What that student said of the test images. Raises InvalidInputError where that is not known."""
        found = self.asked(self.student)
        if found is None or not len(found):
            raise InvalidInputError(self._why_unknown())
        return found

    @cached_property
    def calibration(self) -> Calibration:
        """Its calibration. Raises InvalidInputError where what it said of the test images is not known."""
        found = self.predictions(self.student)
        if found is None or not (found.labels >= 0).any():
            raise InvalidInputError(self._why_unknown())
        return calibration_of(found, groups_of(self.task, found.image_ids) if self.task else None)

    def predictions(self, result: RunResult) -> Predictions | None:
        """What a student said of the test images, if that was kept. Raises DamagedFileError, StorageError."""
        if not self.compared.recorded:
            return predictions_of(self.workspace, result.run)
        return recorded_predictions(result.task, result.method) if result.seed == SEED else None

    def asked(self, result: RunResult) -> Judged | None:
        """The same, as errors are read from it; None where it is not known."""
        found = self.predictions(result)
        if found is None or self.task is None:
            return None
        return judge(found, self.task, f"{result.title}, seed {result.seed}", result.run)

    def asked_or_none(self, result: RunResult) -> Judged | None:
        """The same for the first sentence, which does without what cannot be read; the sections say why."""
        try:
            return self.asked(result)
        except WorkbenchError:
            return None

    def images(self, rows: Sequence[int]) -> list[Image.Image]:
        """Images of the task, squared as the student sees them. Raises DamagedFileError, StorageError."""
        assert self.task is not None
        return [square(image, self.task.record.resize) for image in self.task.images.decoded(rows)]

    def _why_unknown(self) -> str:
        if self.task is None:
            return self.task_problem
        if self.compared.recorded:
            return "What these recorded students say of each image does not come with the program."
        return (
            f"What {self.student.title}, seed {self.student.seed}, says of each held-out image was not kept: open "
            "Results, section Errors, and ask the student once; then make this report again."
        )


def material(workspace: Workspace, name: str) -> ReportMaterial:
    """What there is of the comparison of that id, or of "recorded:<task>".

    Raises UnknownNameError, DamagedFileError, or InvalidInputError while none of its runs has finished.
    """
    comparison = None
    if name.startswith(RECORDED_PREFIX):
        task_name = name.removeprefix(RECORDED_PREFIX)
        document = recorded_comparison(task_name)
        if document is None:
            raise InvalidInputError(
                f"No comparison of task {task_name!r} comes with the program: name one of your own."
            )
        compared = recorded_compared(document, task_name)
    else:
        comparison = load_comparison(workspace, name)
        task_name, compared = comparison.task, read_compared(workspace, comparison)
    if not compared.results:
        why = f" {compared.problems[0]}" if compared.problems else " Let one finish first."
        raise InvalidInputError(f"Comparison {name!r} has no finished run, so there is nothing to report.{why}")
    try:
        task, problem = open_task(workspace, task_name), ""
    except UnknownNameError:
        task, problem = None, f"The task {task_name!r} is not here any more, so its images cannot be shown."
    except WorkbenchError as error:
        task, problem = None, str(error)
    return ReportMaterial(workspace, name, compared, comparison, task, problem)
