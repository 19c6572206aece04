"""Pseudo-labels of one image: what teachers with classes of their own say of it, and which images they answer alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.lessons.images_of_lesson import LessonMaterial
from engine.teachers import TeacherRecord
from engine.weighting import effective_number


@dataclass(frozen=True)
class TeacherOpinion:
    """A teacher's pseudo-label of an image. likeliest: its own classes with probabilities 0..1, the likeliest first.
    effective_classes: exp(entropy), from 1 (sure) to the number of its classes (no idea).
    """

    teacher: TeacherRecord
    likeliest: tuple[tuple[str, float], ...]
    effective_classes: float

    @property
    def surest(self) -> float:
        """The probability of the likeliest class, 0..1."""
        return self.likeliest[0][1]


def opinions(
    material: LessonMaterial, place: int, teachers: Sequence[TeacherRecord], shown: int = 3
) -> tuple[TeacherOpinion, ...]:
    """What each of `teachers` says of the image at `place`, with the `shown` likeliest of its classes."""
    found = []
    for teacher in teachers:
        said = material.pseudo_labels[teacher.name][place].astype(np.float64)
        order = np.argsort(-said, kind="stable")[:shown]
        likeliest = tuple((teacher.classes[k].split(",")[0], float(said[k])) for k in order)
        found.append(TeacherOpinion(teacher, likeliest, effective_number(said / said.sum())))
    return tuple(found)


def alike(material: LessonMaterial, place: int, teacher: str, count: int) -> tuple[int, ...]:
    """Places of the `count` other images whose pseudo-labels by a teacher are most like those of the image at `place`,
    the most alike first, by the overlap Σ √(q q') (Bhattacharyya 1943), which is 1 for equal ones.
    """
    roots = np.sqrt(material.pseudo_labels[teacher].astype(np.float64))
    overlap = roots @ roots[place]
    overlap[place] = -1.0
    return tuple(int(other) for other in np.argsort(-overlap, kind="stable")[:count])
