"""A task of one's own: its findings, and decisions as new revisions of it.

A decision never changes a file of images, labels or split in place: it writes a revision and then task.json, in one
atomic step. What came with the source stays, so that any decision can be taken back.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import canonical_hash, storage_error
from engine.images.views import RESIZES
from engine.review.check import review, split_methods
from engine.review.findings import Decisions, Finding, Review
from engine.review.geometry import GeometryAdvice, advise, check_size
from engine.tasks.catalogue import task_as_labeled
from engine.tasks.facts import FACTS_FILE, Facts, ImportSummary, read_facts, read_import_summary
from engine.tasks.image_table import IMAGES_FILE
from engine.tasks.labels import changing, is_own, write_labels
from engine.tasks.names import clean_text
from engine.tasks.task import ChoiceRecord, Task, TaskRecord, load_task, write_revision, write_task
from engine.workspace import Workspace


@dataclass(frozen=True)
class Checked:
    """What is known of an imported task: for the page that shows it."""

    about: ImportSummary
    facts: Facts
    review: Review
    decisions: Decisions
    split_methods: tuple[str, ...]  # that these images allow, the default first
    advice: GeometryAdvice

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the check found, each with its choices and the one in force."""
        return self.review.findings

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """Problems and warnings that the user has neither fixed nor accepted yet."""
        return open_findings(self.review)


def open_findings(found: Review) -> tuple[Finding, ...]:
    """Problems and warnings of a review that the user has neither fixed nor accepted yet."""
    return tuple(f for f in found.findings if not f.decided and f.severity != "note")


def count_open(task: Task) -> int:
    """How many findings of the last review wait for a decision; 0 for a bundled task."""
    return int(task.record.decisions.get("open", 0))


def checked(task: Task) -> Checked:
    """Findings, decisions and advice of an imported task. Raises InvalidInputError for a bundled one."""
    if not is_own(task):
        raise InvalidInputError(f"Task {task.name!r} came with the program: it was checked when it was made.")
    facts, about = _known(task)
    decisions = _decisions(task.record)
    found = _review(task, task.record, decisions)
    given = task.read_split(task.record.given_split)
    methods = split_methods(facts, given, task.read_labels(task.record.given_labels, task.record.given_classes))
    return Checked(about, facts, found, decisions, methods, advise(facts.widths, facts.heights))


def open_task(workspace: Workspace, name: str) -> Task:
    """The task called `name`, labels by hand reviewed. Raises as `task_as_labeled` and `settled`."""
    return settled(task_as_labeled(workspace, name))


def settled(task: Task) -> Task:
    """The task with classes, labels and split as they follow from its labels and decisions as they are on disk now.

    Raises InvalidInputError if nothing can be learned from these labels, BusyError, DamagedFileError or StorageError.
    """
    if task.is_settled:
        return task
    with changing(task) as current:
        return current if current.is_settled else _revise(current, current.record, _decisions(current.record))


def decide(
    task: Task,
    *,
    findings: Mapping[str, str | None] | None = None,
    split: str | None = None,
    test_share: float | None = None,
    seed: int | None = None,
    resize: str | None = None,
    student_size: int | None = None,
    flip: bool | None = None,
    title: str | None = None,
    summary: str | None = None,
) -> Task:
    """The task with decisions changed; what is None stays. `findings` maps a finding to a choice of it, or to None to
    take the decision back.

    Raises UnknownNameError for a choice that is not offered, InvalidInputError for what these images do not allow;
    the task then stays as it was.
    """
    with changing(task) as current:
        before = _decisions(current.record)
        merged = {**before.findings, **(findings or {})}
        decisions = Decisions(
            findings={key: choice for key, choice in merged.items() if choice is not None},
            split=before.split if split is None else split,
            test_share=before.test_share if test_share is None else test_share,
            seed=before.seed if seed is None else seed,
        )
        if resize is not None and resize not in RESIZES:
            raise InvalidInputError(f"{resize!r} is no geometry: choose squash, crop or pad.")
        if title is not None and not clean_text(title):
            raise InvalidInputError("The task has no name: write one.")
        record = replace(
            current.record,
            resize=resize or current.record.resize,
            student_size=current.record.student_size if student_size is None else check_size(student_size),
            flip=current.record.flip if flip is None else flip,
            title=current.record.title if title is None else clean_text(title),
            summary=current.record.summary if summary is None else clean_text(summary),
        )
        return _revise(current, record, decisions)


def _revise(task: Task, record: TaskRecord, decisions: Decisions) -> Task:
    found = _review(task, record, decisions)
    write_review(task.folder, record, task.images.image_ids, found, decisions)
    return load_task(task.workspace, task.name)


def _review(task: Task, record: TaskRecord, decisions: Decisions) -> Review:
    """The review of a revision; the last ones are remembered, as whoever decides looks at the findings next."""
    key = (
        *_stamps(task),
        record.given_labels,
        record.given_split,
        record.given_classes,
        canonical_hash(asdict(decisions)),
    )
    with _REMEMBERING:
        if key not in _REVIEWS:
            labels = task.read_labels(record.given_labels, record.given_classes)
            given = task.read_split(record.given_split)
            while len(_REVIEWS) >= _REMEMBERED:
                del _REVIEWS[next(iter(_REVIEWS))]
            _REVIEWS[key] = review(*_known(task), record.given_classes, labels, given, decisions)
        return _REVIEWS[key]


_REMEMBERED = 4  # reviews; one of a million images takes some 30 MB
_REVIEWS: dict[tuple[object, ...], Review] = {}
_REMEMBERING = threading.Lock()


def _known(task: Task) -> tuple[Facts, ImportSummary]:
    """What the import noted of the images, which changes only with new ones. Raises DamagedFileError."""
    facts, about = _known_in(task.folder, *_stamps(task))
    if len(facts.widths) != len(task.images):
        raise DamagedFileError(
            f"{task.folder / FACTS_FILE} is damaged: it knows {len(facts.widths):,} of the {len(task.images):,} images "
            f"of task {task.name!r}. Restore it, or import the images again."
        )
    return facts, about


@lru_cache(maxsize=4)
def _known_in(folder: Path, *stamps: object) -> tuple[Facts, ImportSummary]:
    facts, about = read_facts(folder), read_import_summary(folder)
    if facts is None or about is None:
        raise DamagedFileError(f"{folder} lacks what the import noted of its images: import them again.")
    return facts, about


def _stamps(task: Task) -> tuple[object, ...]:
    """What tells a task's import from every other one, also one that took its name later."""
    stamps: list[object] = []
    for path in (task.folder / FACTS_FILE, task.folder / IMAGES_FILE):
        try:
            about = path.stat()
        except OSError as error:
            raise storage_error(error, path) from error
        stamps += [str(path), about.st_ino, about.st_mtime_ns, about.st_size]
    return tuple(stamps)


def write_review(
    folder: Path, record: TaskRecord, image_ids: Sequence[str], found: Review, decisions: Decisions
) -> None:
    """Write the revisions of labels and split that a review gives, then task.json, into a task's folder."""
    by_key: dict[str, ChoiceRecord] = {
        f.key: {"choice": f.choice, "by": "user" if f.decided else "default"} for f in found.findings
    }
    # A decision about a finding that is not there now is kept: it may come back with other labels.
    absent: dict[str, ChoiceRecord] = {
        k: {"choice": c, "by": "user"} for k, c in decisions.findings.items() if k not in by_key
    }
    revised = replace(
        record,
        reviewed=record.given_labels,
        classes=found.classes,
        split_rule=found.split_rule,
        labels=write_labels(folder, image_ids, found.labels),
        split=write_revision(folder / "splits", "split", image_ids, pa.array(found.splits.tolist(), pa.string())),
        decisions={
            "findings": {**by_key, **absent},
            "open": len(open_findings(found)),
            "split": decisions.split,
            "split_in_use": found.split_method,
            "test_share": decisions.test_share,
            "seed": decisions.seed,
        },
    )
    write_task(folder, revised)


def _decisions(record: TaskRecord) -> Decisions:
    value = record.decisions
    entries = value.get("findings", {}).items()
    findings = {key: entry["choice"] for key, entry in entries if entry["by"] == "user" or (key, entry) == _MERGED}
    return Decisions(
        findings, value.get("split", ""), value.get("test_share", Decisions.test_share), value.get("seed", 0)
    )


# Version 0.1 made classes of two spellings one where nobody had said anything: such a task keeps its classes.
_MERGED = ("class-names", {"choice": "merge", "by": "default"})
