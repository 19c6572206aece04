"""Suspected wrong labels among the labeled training images: found by a job, kept as a file, and decided upon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.consensus import doubts
from engine.errors import InvalidInputError
from engine.features import FeatureStore, extract
from engine.files import canonical_hash
from engine.jobs import INTERACTIVE, Job, Reporter, request
from engine.methods import distill_consensus
from engine.probes import left_out
from engine.records import Count, Share, read_record, write_record
from engine.runs.extraction_job import ExtractionTime, progress_to, task_as_asked, time_of_outputs
from engine.runs.ranking import active_weights, allowed_teachers, rank
from engine.tasks import NO_LABEL, Task, confirm, confirmed_labels, given_labels, relabel, usual_draw
from engine.teachers import get_teacher
from engine.workspace import Workspace

KIND = "suspects"
MOST_TEACHERS = 5  # that are asked, those of the largest weights: the others hardly change what all say (ours)
ASKING = "Asking a probe on each teacher"
_FILE = ("the suspected labels of a task", "remove it, and look for them again")


class Keep(Enum):
    """The decision that a label is right."""

    KEEP = "keep"


KEEP = Keep.KEEP
Decision: TypeAlias = str | Keep | None  # the right class, None to leave the label out, or KEEP


@dataclass(frozen=True)
class Suspect:
    """A label that the other labeled images speak against, with what they say of label and suggestion, 0 to 1."""

    image: str  # its id
    label: str
    suggested: str
    of_label: Share
    of_suggested: Share


@dataclass(frozen=True)
class Suspects:
    """The suspected labels of a revision of a task, the most doubtful first, and who was asked."""

    task: str
    task_revision: str
    teachers: dict[str, Share]  # with their weights
    labeled_images: Count
    found: tuple[Suspect, ...]


def request_suspects(workspace: Workspace, task: Task, device: str) -> Job:
    """Queue the job that looks for suspected labels. Asking twice gives the same job; one that ended early is queued
    again. Raises InvalidInputError if no teacher may teach the task, or too few images have a label.
    """
    check_labels(task)
    spec = _spec(workspace, task)
    return request(workspace.jobs, f"suspects-{task.name}", kind=KIND, spec=spec, device=device, lane=INTERACTIVE)


def check_labels(task: Task) -> None:
    """Raises InvalidInputError for a task whose labels cannot speak against each other."""
    if (task.available_labels() > 1).sum() < 2:
        raise InvalidInputError(
            f"Task {task.name!r} has fewer than two classes with two labeled images for training each: no label can be "
            "doubted before there are more."
        )


def time_of_suspects(workspace: Workspace, task: Task, device: str) -> ExtractionTime:
    """How long the job takes at most, if the teachers with the largest networks are the ones to be asked."""
    teachers = sorted(allowed_teachers(workspace, task), key=lambda teacher: teacher.gflops)[-MOST_TEACHERS:]
    return time_of_outputs(workspace, task, teachers, labeled_rows(task), device)


def labeled_rows(task: Task) -> NDArray[np.int64]:
    """All labeled training images, sorted."""
    rows = task.train_rows
    return np.asarray(rows[task.labels[rows] != NO_LABEL])


def execute_suspects(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    task = task_as_asked(workspace, job)
    check_labels(task)
    progress = progress_to(report, {ASKING: "teachers"})
    names = list(job.spec["teachers"])
    ranking = rank(workspace, task, draw=usual_draw(task), teachers=names, device=job.device, progress=progress)
    alpha = largest_weights(active_weights(ranking.alpha(distill_consensus.P, features_suffice=True)))
    rows = labeled_rows(task)
    teachers = [get_teacher(workspace, name) for name in alpha]
    extract(workspace, task, teachers, rows, device=job.device, progress=progress)
    labels = task.labels[rows]
    said = np.zeros((len(rows), len(task.classes)))
    for place, teacher in enumerate(teachers):
        progress(place, len(teachers), ASKING)
        features = FeatureStore(workspace, task, teacher).read_features(rows)
        said += alpha[teacher.name] * left_out(features, labels, len(task.classes))
    found = doubts(said, labels)
    suspects = [
        Suspect(
            image=task.images.image_ids[rows[place]],
            label=task.classes[labels[place]],
            suggested=task.classes[suggested],
            of_label=float(np.clip(said[place, labels[place]], 0, 1)),
            of_suggested=float(np.clip(said[place, suggested], 0, 1)),
        )
        for place, suggested in zip(found.places, found.suggested, strict=True)
    ]
    write_record(_path(workspace, job.spec), Suspects(task.name, task.revision, alpha, len(rows), tuple(suspects)))


def largest_weights(alpha: Mapping[str, float]) -> dict[str, float]:
    """The weights of the `MOST_TEACHERS` teachers that have the largest ones, summing to 1."""
    kept = sorted(alpha, key=lambda name: (-alpha[name], name))[:MOST_TEACHERS]
    total = sum(alpha[name] for name in kept)
    return {name: alpha[name] / total for name in kept}


def known_suspects(workspace: Workspace, task: Task) -> Suspects | None:
    """What the last job found, of this revision of the task or of an earlier one; None if nobody has looked.

    Raises DamagedFileError, StorageError.
    """
    own, pattern = _path(workspace, _spec(workspace, task)), f"{task.name}-suspects-{'?' * 12}.json"
    paths = sorted(workspace.rankings.glob(pattern), key=lambda path: path.stat().st_mtime_ns)
    if not paths:
        return None
    return read_record(own if own in paths else paths[-1], Suspects, *_FILE)


def undecided(task: Task, found: Suspects) -> list[Suspect]:
    """Those of `found` that still have the label that was doubted, and that nobody has confirmed."""
    confirmed = confirmed_labels(task)
    row_of = {image: row for row, image in enumerate(task.images.image_ids)}
    now = {
        each.image: task.classes[task.labels[row_of[each.image]]]
        for each in found.found
        if each.image in row_of and task.labels[row_of[each.image]] != NO_LABEL
    }
    return [each for each in found.found if now.get(each.image) == each.label != confirmed.get(each.image)]


@dataclass(frozen=True)
class Undo:
    """What takes decisions back."""

    labels: Mapping[int, str | None]  # by row, as they were given before
    confirmed: tuple[str, ...]  # image ids


def decide(task: Task, decisions: Mapping[str, Decision], found: Sequence[Suspect]) -> Undo:
    """Carry out decisions about suspects, by image id: KEEP, the right class, or None to leave the label out.

    Changed labels are one new revision of labels; kept ones are confirmed. Raises InvalidInputError for a task that
    came with the program, BusyError, StorageError.
    """
    rows = {image: row for row, image in enumerate(task.images.image_ids) if image in decisions}
    labels = {rows[image]: chosen for image, chosen in decisions.items() if not isinstance(chosen, Keep)}
    kept = {each.image: each.label for each in found if decisions.get(each.image) is KEEP}
    before = dict(zip(labels, given_labels(task, list(labels)), strict=True))
    if labels:
        relabel(task, labels)
    if kept:
        confirm(task, kept)
    return Undo(before, tuple(kept))


def take_back(task: Task, undo: Undo) -> None:
    """Undo what `decide` did. Raises as `decide`."""
    if undo.labels:
        relabel(task, undo.labels)
    if undo.confirmed:
        confirm(task, dict.fromkeys(undo.confirmed))


def _spec(workspace: Workspace, task: Task) -> dict[str, Any]:
    teachers = {teacher.name: teacher.key for teacher in allowed_teachers(workspace, task)}
    if not teachers:
        raise InvalidInputError(f"No teacher may teach task {task.name!r}, so nobody can be asked: add a teacher.")
    return {"task": task.name, "task_revision": task.revision, "teachers": teachers}


def _path(workspace: Workspace, spec: Mapping[str, Any]) -> Path:
    return workspace.rankings / f"{spec['task']}-suspects-{canonical_hash(dict(spec), 12)}.json"
