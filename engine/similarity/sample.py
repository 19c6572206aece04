"""One teacher's outputs for some labeled images, checked once and shared by all metrics that are computed from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from engine.evaluation.arrays import (
    FloatArray,
    IntArray,
    as_labels,
    as_matrix,
    as_probabilities,
    require_same_length,
)


@dataclass(frozen=True)
class Sample:
    """Arrays of one teacher on n images; what is None was not given."""

    features: FloatArray | None  # [n, d]
    labels: IntArray | None  # [n]
    pseudo_labels: FloatArray | None  # [n, Z], rows sum to 1
    features2: FloatArray | None  # [n, e], of a second network

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
        sample = cls(
            None if features is None else as_matrix(features, "features"),
            None if labels is None else as_labels(labels),
            None if pseudo_labels is None else as_probabilities(pseudo_labels),
            None if features2 is None else as_matrix(features2, "features2"),
        )
        require_same_length(
            features=sample.features,
            labels=sample.labels,
            pseudo_labels=sample.pseudo_labels,
            features2=sample.features2,
        )
        return sample

    def take(self, rows: IntArray) -> Sample:
        """The same teacher on some of the images only."""
        return Sample(
            None if self.features is None else self.features[rows],
            None if self.labels is None else self.labels[rows],
            None if self.pseudo_labels is None else self.pseudo_labels[rows],
            None if self.features2 is None else self.features2[rows],
        )
