"""Whether a format of a student answers as the student does, and what a less precise one loses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.delivery.format import Answers
from engine.errors import InvalidInputError
from engine.evaluation import PairedAccuracies, paired_accuracies
from engine.tasks import NO_LABEL
from engine.wording import count, percent, points

NEAR_TIE = 1e-4  # ours: where the two largest probabilities lie closer, rounding may swap them
LARGEST_LOSS = 0.01  # of accuracy; ours: more than a point is seldom worth a file of a quarter of the size


def same_answers(answers: Answers, anyway: bool) -> str:
    """The sentence about a format that computes what the student computes.

    Raises InvalidInputError if the class with the largest probability is another one for an image on which the
    student's two largest probabilities differ by more than NEAR_TIE.
    """
    student, written = answers.student, answers.written
    other, close = _other(student, written), _near_ties(student)
    difference = float(np.abs(student - written).max(initial=0))
    images = _counted(len(student), answers.noun)
    if wrong := int((other & ~close).sum()):
        raise InvalidInputError(
            f"What was written answers otherwise than the student on {wrong} of {images} (largest difference of a "
            f"probability {difference:.1e}), so it was not kept: take another format."
        )
    ties = f"; {count(int((other & close).sum()), 'near tie')} fell the other way" if (other & close).any() else ""
    return f"Answers as the student does on {images}: largest difference of a probability {difference:.1e}{ties}."


def nearly_as_accurate(answers: Answers, anyway: bool) -> str:
    """The sentence about a format that computes less precisely: what it loses on images whose label is known.

    Raises InvalidInputError where it loses more than LARGEST_LOSS, or nobody can say, unless it is wanted `anyway`.
    """
    student, written = answers.student, answers.written
    agreement = f"gives the class that the student gives on {percent(float((~_other(student, written)).mean()))}"
    labeled = answers.labels != NO_LABEL
    if not labeled.any():
        images = _counted(len(student), answers.noun)
        lost, said = None, f"It {agreement} of {images}; its accuracy is not known, as no label of them is"
    else:
        truth, images = answers.labels[labeled], _counted(int(labeled.sum()), answers.noun)
        first, second = student[labeled].argmax(1) == truth, written[labeled].argmax(1) == truth
        found = paired_accuracies(second, first, None if answers.groups is None else answers.groups[labeled])
        lost = found.second_only - found.first_only
        said = (
            f"It has {percent(float(second.mean()))} of {images} right, the student {percent(float(first.mean()))} "
            f"({_difference(found)}), and {agreement}"
        )
    if not anyway and (lost is None or lost > LARGEST_LOSS * labeled.sum()):
        bound = "" if lost is None else f": a loss of more than {100 * LARGEST_LOSS:g} point"
        raise InvalidInputError(f"{said}{bound}. It was not kept: ask for it with --anyway, or take another format.")
    return f"{said}."


def _counted(number: int, noun: str) -> str:
    """So many of what is checked on: (2, "image of its task") -> "2 images of its task"."""
    return count(number, noun, noun.replace("image", "images"))


def _difference(found: PairedAccuracies) -> str:
    """A difference of accuracies with its interval, in words."""
    said = f"difference {points(found.difference)} points"
    if (interval := found.interval) is None:
        return said
    between = f"{points(interval.low)} to {points(interval.high)}"
    return f"{said}, {percent(interval.level, 0)} interval {between}"


def _other(student: NDArray[np.float32], written: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where another class has the largest probability, `[N]`."""
    return np.asarray(student.argmax(1) != written.argmax(1))


def _near_ties(student: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the two largest probabilities are all but equal, `[N]`."""
    if student.shape[1] < 2:
        return np.zeros(len(student), dtype=bool)
    two = np.partition(student, -2, axis=1)[:, -2:]  # [N, 2]: the largest last
    return np.asarray(two[:, 1] - two[:, 0] <= NEAR_TIE)
