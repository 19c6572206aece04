"""What the colors of a map say: of each image its class, what a teacher calls it, whether a student is right, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import cached, state
from app.components.colors import class_colors, ramp_colors
from engine import maps
from engine.errors import InvalidInputError
from engine.predictions import Predictions
from engine.runs import disagreement, predictions_of, predictions_path, proposals, top_pseudo_labels
from engine.tasks import NO_LABEL, Draw, Task
from engine.teachers import TeacherRecord
from engine.workspace import Workspace

Numbers = NDArray[np.int64]

CLASS, LABELED, PSEUDO, CONFIDENCE, PROPOSED, SURENESS, RIGHT, APART = (
    "class",
    "labeled",
    "pseudo",
    "confidence",
    "proposed",
    "sureness",
    "right",
    "apart",
)
TITLES = {
    CLASS: "Class",
    LABELED: "Labeled or not",
    PSEUDO: "Pseudo-label of the teacher",
    CONFIDENCE: "Confidence of the teacher",
    PROPOSED: "Class proposed by the consensus",
    SURENESS: "Confidence of the consensus",
    RIGHT: "Right or wrong (of a student)",
    APART: "Disagreement of two teachers",
}
UNKNOWN = "class not known"
NAMED = 12  # pseudo-labels with a color of their own, the most frequent ones; a network may have thousands
LABELED_COLORS = ("#d2691e", "#5b7f95")
RIGHT_COLORS = ("#3f7fbf", "#d2501e")
DOT, DIAMOND, CROSS = 0, 1, 2  # marks


@dataclass(frozen=True)
class Coloring:
    """codes: `[n]`, of each point an index into `names` and `colors`, -1 for gray. gray: what gray says. ramp: whether
    the names are the two ends of a scale and the colors its steps. crossed: codes whose mark is a cross.
    """

    codes: Numbers
    names: tuple[str, ...]
    colors: tuple[str, ...]
    gray: str = ""
    ramp: bool = False
    crossed: tuple[int, ...] = ()

    def values(self) -> list[str]:
        """What the color of each point says, in words."""
        if self.ramp:
            return ["" if code < 0 else f"{code / (len(self.colors) - 1):.2f}" for code in self.codes.tolist()]
        return [self.gray if code < 0 else self.names[code] for code in self.codes.tolist()]

    def highlighted(self, chosen: Sequence[str]) -> Coloring:
        """The same with all but the `chosen` names in gray."""
        kept = [number for number, name in enumerate(self.names) if name in chosen]
        if self.ramp or not kept:
            return self
        return replace(self, codes=np.where(np.isin(self.codes, kept), self.codes, -1), gray="the others")


@dataclass(frozen=True)
class Asked:
    """What is colored by. teacher: whose map it is. pair: the two teachers that are compared. run: of the student."""

    by: str
    teacher: TeacherRecord
    pair: tuple[TeacherRecord, TeacherRecord] | None = None
    run: str | None = None


def coloring(task: Task, rows: Numbers, asked: Asked) -> Coloring:
    """The colors of the images of `rows`. Raises InvalidInputError, with what to do, where they cannot be known yet."""
    draw = state.draw()
    if asked.by == LABELED:
        labeled = np.isin(rows, task.labeled_rows(draw))
        return Coloring(np.where(labeled, 0, 1), ("labeled", "unlabeled"), LABELED_COLORS)
    if asked.by == CLASS:
        return _of_classes(task, task.labels[rows])
    if asked.by in (PSEUDO, CONFIDENCE):
        return _of_teacher(task, rows, asked.teacher, asked.by)
    if asked.by in (PROPOSED, SURENESS):
        return _of_consensus(task, rows, asked.by)
    if asked.by == RIGHT:
        return _of_student(task, rows, asked.run)
    return _of_pair(task, rows, asked.pair)


def student_said(run: str) -> Predictions | None:
    """What a run's student says of training images whose class it was not told, read once for all sessions; None while
    it was not asked. Raises DamagedFileError, StorageError.
    """
    path = predictions_path(state.workspace(), run, "unlabeled")
    return _said(state.workspace(), run, path.stat().st_mtime_ns) if path.exists() else None


def proposed(task: Task, rows: Numbers) -> NDArray[np.float32]:
    """Class probabilities `[n, C]` of the consensus, computed once for all sessions. Raises InvalidInputError where the
    features for it are not there.
    """
    ranking = cached.ranking(task)
    if ranking is None:
        raise InvalidInputError("The consensus weighs the teachers by their similarity: rank them first (Teachers).")
    seen = tuple(len(maps.seen_rows(state.workspace(), task, t.name)) for t in ranking.candidates)
    keys = ",".join(teacher.key for teacher in ranking.candidates)
    found = _proposed(
        state.workspace(), task.name, task.revision, state.draw(), state.metric(), keys, seen, rows.tobytes(), task
    )
    if found is None:
        raise InvalidInputError("No teacher's features of these images are extracted yet: draw its map here first.")
    return found


def _of_classes(task: Task, labels: Numbers) -> Coloring:
    return Coloring(labels, task.classes, tuple(class_colors(len(task.classes))), UNKNOWN)


def _of_teacher(task: Task, rows: Numbers, teacher: TeacherRecord, by: str) -> Coloring:
    found = top_pseudo_labels(state.workspace(), task, teacher, rows)
    if found is None:
        why = (
            "its features of these images are not extracted here yet: draw its map here first"
            if teacher.has_pseudo_labels
            else "it has no classes of its own"
        )
        raise InvalidInputError(f"{teacher.title} has no pseudo-labels to color by: {why}.")
    if by == CONFIDENCE:
        return _ramp(found.probabilities)
    numbers, counts = np.unique(found.classes, return_counts=True)
    named = numbers[np.argsort(-counts, kind="stable")][:NAMED]
    place = np.full(len(teacher.classes), -1, dtype=np.int64)
    place[named] = np.arange(len(named))
    names = tuple(teacher.classes[number] for number in named.tolist())
    return Coloring(place[found.classes], names, tuple(class_colors(len(named))), "another pseudo-label")


def _of_consensus(task: Task, rows: Numbers, by: str) -> Coloring:
    found = proposed(task, rows)
    return _ramp(found.max(axis=1)) if by == SURENESS else _of_classes(task, found.argmax(axis=1))


def _of_student(task: Task, rows: Numbers, run: str | None) -> Coloring:
    said = None if run is None else student_said(run)
    if said is None:
        raise InvalidInputError("This student has not been asked about these images yet: ask it above.")
    place = {image: i for i, image in enumerate(said.image_ids)}
    number = {name: i for i, name in enumerate(task.classes)}
    predicted = np.array([number.get(name, NO_LABEL) for name in said.classes], dtype=np.int64)[said.predicted]
    where = np.array([place.get(task.images.image_ids[row], -1) for row in rows.tolist()], dtype=np.int64)
    labels = task.labels[rows]
    known = (where >= 0) & (labels != NO_LABEL)
    codes = np.where(known, np.where(predicted[where] == labels, 0, 1), -1)
    return Coloring(codes, ("right", "wrong"), RIGHT_COLORS, "told to it, or class not known", crossed=(1,))


def _of_pair(task: Task, rows: Numbers, pair: tuple[TeacherRecord, TeacherRecord] | None) -> Coloring:
    found = None
    if pair is not None:
        seen = tuple(len(maps.seen_rows(state.workspace(), task, teacher.name)) for teacher in pair)
        keys = tuple(teacher.key for teacher in pair)
        found = _apart(
            state.workspace(), task.name, task.revision, state.draw(), keys, seen, rows.tobytes(), task, pair
        )
    if found is None:
        raise InvalidInputError(
            "Two teachers are compared by their features of all these images and of labeled ones: rank the teachers, "
            "and draw the maps of both here."
        )
    return _ramp(found)


def _ramp(values: NDArray[np.float32]) -> Coloring:
    colors = ramp_colors()
    codes = (np.clip(values, 0, 1) * (len(colors) - 1)).round().astype(np.int64)
    return Coloring(codes, ("0", "1"), tuple(colors), ramp=True)


@st.cache_resource(max_entries=8, show_spinner=False)
def _said(workspace: Workspace, run: str, changed: int) -> Predictions | None:
    return predictions_of(workspace, run, "unlabeled")


@st.cache_resource(max_entries=8, show_spinner="Comparing the two teachers")
def _apart(
    workspace: Workspace,
    name: str,
    revision: str,
    draw: Draw,
    teachers: tuple[str, ...],
    seen: tuple[int, ...],
    rows: bytes,
    _task: Task,
    _pair: tuple[TeacherRecord, TeacherRecord],
) -> NDArray[np.float32] | None:
    return disagreement(workspace, _task, draw, _pair, np.frombuffer(rows, dtype=np.int64))


@st.cache_resource(max_entries=8, show_spinner="Asking the consensus")
def _proposed(
    workspace: Workspace,
    name: str,
    revision: str,
    draw: Draw,
    metric: str,
    teachers: str,
    seen: tuple[int, ...],
    rows: bytes,
    _task: Task,
) -> NDArray[np.float32] | None:
    ranking = cached.ranking(_task)
    found = None if ranking is None else proposals(workspace, _task, ranking, np.frombuffer(rows, dtype=np.int64))
    return None if found is None else found.probabilities
