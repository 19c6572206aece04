"""The report on the data: what the images are, how they are divided, and what the check found."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.delivery.report_markup import Html, facts, name, note, paragraph, pictures, table
from engine.delivery.report_material import ReportMaterial
from engine.errors import WorkbenchError
from engine.review import Finding, checked
from engine.tasks import NO_LABEL, Task, is_own, read_groups
from engine.wording import count, listed

EXAMPLES = 12  # classes that are shown by an image
LONGEST = 30  # names of classes in a list
SEVERITIES = {"problem": "Problem", "warning": "Warning", "note": "Note"}


def section(found: ReportMaterial) -> Iterator[Html]:
    """Its parts."""
    task = found.task
    if task is None:
        yield paragraph(found.task_problem)
        return
    if not found.same_task:
        yield note("This is the task as it is now; the runs below were made on another revision of it.")
    record = task.record
    if record.summary:
        yield paragraph(record.summary)
    yield facts(
        [
            ("Collection", record.collection),
            ("Source", record.source),
            ("License of the images", record.license or "not stated"),
            ("Classes", _classes(task)),
            ("Images for training", _training(task)),
            ("Held-out images", _held_out(task)),
            ("How they are divided", record.split_rule),
            ("Groups", _groups(task)),
        ]
    )
    yield from _examples(found, task)
    yield Html("<h3>The check</h3>")
    yield from _check(task)


def _classes(task: Task) -> str:
    names = ", ".join(task.classes[:LONGEST])
    more = f" and {len(task.classes) - LONGEST:,} more" if len(task.classes) > LONGEST else ""
    return f"{len(task.classes):,}: {names}{more}"


def _training(task: Task) -> str:
    available = task.available_labels()
    labeled = int(available.sum())
    return (
        f"{len(task.train_rows):,}, of which {labeled:,} have a label ({int(available.min()):,} to "
        f"{int(available.max()):,} a class)"
    )


def _held_out(task: Task) -> str:
    if not len(task.test_rows):
        return "none, so that nothing is known of how well a student does"
    by_class = np.bincount(task.labels[task.test_rows], minlength=len(task.classes))
    return f"{len(task.test_rows):,} ({int(by_class.min()):,} to {int(by_class.max()):,} a class)"


def _groups(task: Task) -> str:
    groups = read_groups(task.folder)
    known = 0 if groups is None else len(np.unique(groups[groups >= 0]))
    return f"{known:,}; intervals are over groups, as images of one group are alike" if known else ""


def _examples(found: ReportMaterial, task: Task) -> Iterator[Html]:
    """A training image of each of the first classes."""
    labels = np.where(np.isin(np.arange(len(task.labels)), task.train_rows), task.labels, NO_LABEL)
    rows = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels[labels >= 0])[:EXAMPLES]]
    if not rows:
        return
    try:
        yield pictures(found.images(rows), [name(task.classes[task.labels[row]]) for row in rows])
    except WorkbenchError as error:
        yield note(f"No examples can be shown: {error}")


def _check(task: Task) -> Iterator[Html]:
    if not is_own(task):
        yield paragraph("The task came with the program: it was checked when it was made.")
        return
    found = checked(task)
    if not found.findings:
        yield paragraph("Nothing was found: no copies, no contradicting labels, no unreadable files.")
        return
    waiting = len(found.open_findings)
    yield paragraph(
        f"{count(len(found.findings), 'finding')}; "
        + (f"{waiting:,} of them nobody has decided yet, so that defaults hold." if waiting else "all are decided.")
    )
    yield table(
        ("Kind", "Found", "What it means", "What is done"),
        [(SEVERITIES.get(f.severity, f.severity), f.title, f.text, _choice(f)) for f in found.findings],
        words=4,
    )
    out = [f"{number:,} are {why}" for why, number in found.review.left_out]
    if out:
        yield note(f"Images that take no part: {listed(out)}.")


def _choice(found: Finding) -> str:
    chosen = next((choice.title for choice in found.choices if choice.key == found.choice), found.choice)
    if found.severity == "note":
        return ""
    return f"{chosen} ({'decided' if found.decided else 'by default'})"
