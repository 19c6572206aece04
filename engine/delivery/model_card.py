"""The model card of a student: what it is, what taught it, how well it does, and what it is not for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from engine.delivery.format import FinishedStudent
from engine.errors import DamagedFileError, StorageError, WorkbenchError
from engine.evaluation import FEWEST_HELD_OUT, Interval, calibration_error_interval, share_interval, wilson_interval
from engine.results import accuracy_sentence
from engine.runs import predictions_of, starts_sentence
from engine.tasks import groups_of, read_groups
from engine.teachers import get_teacher
from engine.wording import count, percent


def model_card(student: FinishedStudent) -> str:
    """A README in Markdown as model hubs read it, with what they index in its first lines."""
    record, result = student.record, student.result
    task = student.images.task.record if student.images else None
    interval = result.interval
    between = ""
    if interval is not None:
        between = f" {percent(interval.level, 0)} interval {percent(interval.low)} to {percent(interval.high)}"
        between = f"{between} ({_plain(interval.method)})."
    sections = [
        _header(student),
        f"# {_plain(task.title if task else record.task)}",
        _plain(task.summary) if task else "",
        f"A {record.architecture} for images of {count(record.num_classes, 'class', 'classes')}, trained by Distill "
        "Workbench.",
        f"""## How to use it

```python
import timm
model = timm.create_model("local-dir:PATH-OF-THIS-FOLDER", pretrained=True).eval()
```

Input: RGB, {record.input_size} × {record.input_size} pixels ({_RESIZED[record.resize]}, {record.interpolation}), scaled
to 0..1, minus {list(record.mean)}, divided by {list(record.std)}. The softmax of its outputs gives the probabilities of
the classes below. {student.temperature.plain}""",
        "## Data",
        _data(student),
        "## Method",
        f"{_plain(result.title)}, seed {result.seed}: {result.images:,} student images with gradient. Of "
        f"{result.train_images:,} training images {result.labeled_images:,} had a label that it could use.",
        "\n".join(_teachers(student)),
        "## How well it does",
        f"{accuracy_sentence(result)}{between} Guessing gives {percent(1 / record.num_classes)}.",
        _calibration(student),
        "\n".join(_classes(student)),
        """## What it must not be used for

- Images of another kind than those above: it answers with one of its classes whatever it is shown.
- Decisions about people's health, safety, rights or livelihood without a person who checks each answer, and a test of
  its own on images of the place where it is used.
- Classes that are not in its list, and classes whose accuracy above is low or unknown.
- Whatever the licenses of the images and of its teachers do not allow.""",
        f"""## Where it comes from

Run `{result.run}`, finished {result.finished or "at a time nobody wrote down"}, on {_plain(result.machine)}; task
`{record.task}`, revision `{record.task_revision or "unknown"}`. `result.json` has everything that was measured.""",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


_RESIZED = {
    "squash": "each side resampled, whatever the shape of the image",
    "pad": "made square by white at two sides, then resampled",
    "crop": "the square in its center, resampled",
}


def _header(student: FinishedStudent) -> str:
    """What hubs index. Texts are JSON, which is YAML too."""
    record, result = student.record, student.result
    index: list[str] = []
    if result.accuracy is not None:
        task, data = {"type": "image-classification"}, {"name": record.task, "type": record.task}
        found = [{"type": "accuracy", "value": round(result.accuracy, 4)}]
        about = [{"name": record.task, "results": [{"task": task, "dataset": data, "metrics": found}]}]
        index = [f"model-index: {json.dumps(about, ensure_ascii=False)}"]
    return "\n".join(
        [
            "---",
            "library_name: timm",
            "pipeline_tag: image-classification",
            "license: other",
            f"license_name: {json.dumps(record.license or 'not stated', ensure_ascii=False)}",
            "tags: [image-classification, timm, distillation]",
            *index,
            "---",
        ]
    )


def _data(student: FinishedStudent) -> str:
    if student.images is None:
        return f"The task is not here any more ({student.without_images}). License: {_plain(student.record.license)}."
    task = student.images.task.record
    parts = [
        f"- Collection: {_plain(task.collection)}",
        f"- Source: {_plain(task.source)}" if task.source else "",
        f"- License of the images: {_plain(task.license or 'not stated')}",
        f"- Held out: {_plain(task.split_rule)}" if task.split_rule else "",
        "- The task has changed since this student was trained." if not student.images.same_revision else "",
    ]
    return "\n".join(part for part in parts if part)


def _teachers(student: FinishedStudent) -> Iterator[str]:
    shares = {name: share for name, share in student.result.active_alpha.items() if share > 0}
    if not shares:
        yield "No teacher took part."
        return
    yield from ("| teacher | share | trained on | license |", "| --- | --- | --- | --- |")
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        yield _row(name, percent(share, 0), *_about_teacher(student, name))
    if said := starts_sentence([student.result]):
        yield from ("", said)


def _about_teacher(student: FinishedStudent, name: str) -> tuple[str, str]:
    """The collections and the license of a teacher."""
    try:
        teacher = get_teacher(student.workspace, name)
    except WorkbenchError:  # it was removed since: its name is what is left
        return "not known any more", "not known any more"
    return ", ".join((teacher.collection, *teacher.further_collections)), teacher.license


def _calibration(student: FinishedStudent) -> str:
    """How far its probabilities can be taken at their word."""
    said = student.on_task
    if said is None or student.images is None or not student.images.held_out or len(said.rows) < FEWEST_HELD_OUT:
        return "How far its probabilities can be taken at their word is not known."
    confidence, right = said.student.max(1), said.student.argmax(1) == said.labels
    found = calibration_error_interval(confidence, right, said.groups)
    between = found.interval
    interval = f" (95\u00a0% interval {percent(between.low)} to {percent(between.high)})" if between else ""
    return (
        f"Calibration of the plain softmax: its confidence is {percent(float(confidence.mean()))} on average; expected "
        f"calibration error {percent(found.value)}{interval}, lower is better."
    )


def _classes(student: FinishedStudent) -> Iterator[str]:
    """A table of classes: how many of their held-out images are right, with an interval where it can be known."""
    totals, intervals = None, _intervals(student)
    if student.images is not None and student.images.held_out:
        totals = np.bincount(
            student.images.task.labels[student.images.task.test_rows], minlength=len(student.record.classes)
        )
    shares: Sequence[float | None] = student.result.per_class_accuracy or [None] * student.record.num_classes
    yield from ("| class | right | 95\u00a0% interval | held-out images |", "| --- | --- | --- | --- |")
    for i, (name, share) in enumerate(zip(student.record.classes, shares, strict=True)):
        total = 0 if totals is None else int(totals[i])
        between = intervals(i, round(share * total), total) if share is not None and total else None
        yield _row(
            name,
            "unknown" if share is None else percent(share),
            f"{percent(between.low)} to {percent(between.high)}" if between else "",
            str(total) if total else "",
        )


def _intervals(student: FinishedStudent) -> Callable[[int, int, int], Interval | None]:
    """What gives the interval of a class, from its number, its right images and all of its images: over groups where
    the task has groups. None where it is not known any more which images were right.
    """
    task = student.images.task if student.images else None
    try:
        if task is None or read_groups(task.folder) is None:
            return lambda _, right, total: wilson_interval(right, total)
        found = predictions_of(student.workspace, student.result.run)
        groups = None if found is None else groups_of(task, found.image_ids)
    except (DamagedFileError, StorageError):
        found = groups = None
    if found is None or groups is None:
        return lambda *_: None

    def over_groups(label: int, right: int, total: int) -> Interval | None:
        own = found.labels == label
        if int(own.sum()) != total:  # other images than those that are counted
            return None
        return share_interval(found.predicted[own] == label, groups[own])

    return over_groups


def _row(*cells: str) -> str:
    return f"| {' | '.join(_plain(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _plain(text: str) -> str:
    """A text of a user within Markdown: on one line, and no markup of its own."""
    kept = " ".join(line.strip() for line in text.splitlines())
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>#" else letter for letter in kept)
