"""One teacher's outputs for some labeled images, checked once, with what several metrics need computed once."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, TypeVar, cast

import numpy.typing as npt

from engine.evaluation.arrays import (
    FloatArray,
    IntArray,
    as_labels,
    as_matrix,
    as_probabilities,
    require_same_length,
)
from engine.similarity.once import once
from engine.similarity.points import Classes, Points

T = TypeVar("T")


class LabeledOutputs:
    """Arrays of one teacher on n images; what is None was not given."""

    def __init__(
        self,
        features: Points | None,  # [n, d]
        labels: IntArray | None,  # [n]
        pseudo_labels: FloatArray | None,  # [n, Z], rows sum to 1
        features2: Points | None,  # [n, e], of a second network
    ) -> None:
        self.features, self.labels, self.pseudo_labels, self.features2 = features, labels, pseudo_labels, features2
        self._shared: dict[Callable[..., Any], object] = {}
        self._locks: dict[Callable[..., Any], RLock] = {}

    @classmethod
    def of(
        cls,
        labels: npt.ArrayLike | None = None,
        *,
        features: npt.ArrayLike | None = None,
        pseudo_labels: npt.ArrayLike | None = None,
        features2: npt.ArrayLike | None = None,
    ) -> LabeledOutputs:
        """Check what is given. Raises InvalidInputError for arrays that cannot be used or differ in their rows."""
        first = None if features is None else as_matrix(features, "features")
        ids = None if labels is None else as_labels(labels)
        theta = None if pseudo_labels is None else as_probabilities(pseudo_labels)
        second = None if features2 is None else as_matrix(features2, "features2")
        require_same_length(features=first, labels=ids, pseudo_labels=theta, features2=second)
        return cls(None if first is None else Points(first), ids, theta, None if second is None else Points(second))

    @property
    def points(self) -> Points:
        """The features, for a metric that needs them."""
        assert self.features is not None
        return self.features

    @property
    def theta(self) -> FloatArray:
        """The pseudo-labels `[n, Z]`, for a metric that needs them."""
        assert self.pseudo_labels is not None
        return self.pseudo_labels

    @once
    def classes(self) -> Classes:
        """The labels as classes."""
        assert self.labels is not None
        return Classes(self.labels)

    @property
    def drawn_from(self) -> tuple[LabeledOutputs, IntArray] | None:
        """The outputs for all images and the rows taken of them; None where these are all."""
        return None

    def take(self, rows: IntArray) -> LabeledOutputs:
        """The same teacher on some of the images only."""
        return _Drawn(self, rows)

    def shared(self, build: Callable[[LabeledOutputs], T]) -> T:
        """`build` of these outputs: an intermediate result, computed by the first metric that asks; others wait."""
        if build not in self._shared:
            with self._locks.setdefault(build, RLock()):
                if build not in self._shared:
                    self._shared[build] = build(self)
        return cast(T, self._shared[build])


class _Drawn(LabeledOutputs):
    """Some of the images of others."""

    def __init__(self, whole: LabeledOutputs, rows: IntArray) -> None:
        super().__init__(
            None if whole.features is None else whole.features.take(rows),
            None if whole.labels is None else whole.labels[rows],
            None if whole.pseudo_labels is None else whole.pseudo_labels[rows],
            None if whole.features2 is None else whole.features2.take(rows),
        )
        self._drawn_from = whole, rows

    @property
    def drawn_from(self) -> tuple[LabeledOutputs, IntArray] | None:
        return self._drawn_from
