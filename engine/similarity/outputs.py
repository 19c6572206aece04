"""One teacher's outputs for some labeled images, checked once, with what all metrics share computed once."""

from __future__ import annotations

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
from engine.similarity.pairs import Pairs
from engine.similarity.points import Classes, Points
from engine.similarity.source_classes import mixture_shares


class Sample:
    """Arrays of one teacher on n images; what is None was not given."""

    def __init__(
        self,
        features: Points | None,  # [n, d]
        labels: IntArray | None,  # [n]
        pseudo_labels: FloatArray | None,  # [n, Z], rows sum to 1
        features2: Points | None,  # [n, e], of a second network
    ) -> None:
        self.features, self.labels, self.pseudo_labels, self.features2 = features, labels, pseudo_labels, features2

    @classmethod
    def of(
        cls,
        labels: npt.ArrayLike | None = None,
        *,
        features: npt.ArrayLike | None = None,
        pseudo_labels: npt.ArrayLike | None = None,
        features2: npt.ArrayLike | None = None,
    ) -> Sample:
        """Check what is given. Raises InvalidInputError for arrays that cannot be used or differ in their rows."""
        first = None if features is None else as_matrix(features, "features")
        ids = None if labels is None else as_labels(labels)
        theta = None if pseudo_labels is None else as_probabilities(pseudo_labels)
        second = None if features2 is None else as_matrix(features2, "features2")
        require_same_length(features=first, labels=ids, pseudo_labels=theta, features2=second)
        return cls(None if first is None else Points(first), ids, theta, None if second is None else Points(second))

    def take(self, rows: IntArray) -> Sample:
        """The same teacher on some of the images only."""
        return _Drawn(self, rows)

    @once
    def classes(self) -> Classes:
        """The labels as classes."""
        assert self.labels is not None
        return Classes(self.labels)

    @once
    def pairs(self) -> Pairs:
        """All pairs of images in the features."""
        assert self.features is not None
        return Pairs(self.features)

    @once
    def other(self) -> Points:
        """What RSA compares the features with: a second network's, or the pseudo-labels."""
        if self.features2 is not None:
            return self.features2
        assert self.pseudo_labels is not None
        return Points(self.pseudo_labels)

    @once
    def other_pairs(self) -> Pairs:
        """All pairs of images in `other`."""
        return Pairs(self.other)

    @once
    def mixture(self) -> FloatArray:
        """Shares of the parts of NLEEP's mixture in each image: `[n, V]`."""
        assert self.features is not None
        return mixture_shares(self.features, self.classes.number)


class _Drawn(Sample):
    """Some of the images of another sample."""

    def __init__(self, whole: Sample, rows: IntArray) -> None:
        super().__init__(
            None if whole.features is None else whole.features.take(rows),
            None if whole.labels is None else whole.labels[rows],
            None if whole.pseudo_labels is None else whole.pseudo_labels[rows],
            None if whole.features2 is None else whole.features2.take(rows),
        )
        self.whole, self.rows = whole, rows

    @once
    def mixture(self) -> FloatArray:
        """Fitted once, to all images: it does not see the labels, and a fit for each draw would take minutes."""
        return self.whole.mixture[self.rows]
