"""Which images are worth a label: those that cover the others best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInputError


def k_center(
    features: NDArray[np.float32], labeled: NDArray[np.int64], count: int, *, seed: int = 0
) -> NDArray[np.int64]:
    """Rows to label next, `[count]` or fewer, in this order: each is the farthest, in cosine distance, from all that
    are labeled or were chosen before it. Duplicates of these are never chosen.

    features `[images, D]`; labeled rows `[n]`, of which there may be none: then the first is drawn at random, near the
    center. The greedy of Gonzalez (1985), whose largest distance is at most twice the best one; as core-set selection
    in Sener and Savarese, *Active learning for convolutional neural networks*, ICLR 2018. Takes count × images × D
    steps. Raises InvalidInputError for features that are no numbers, or labeled rows that are not there.

    Example:
        >>> line = np.array([[1, 0], [1, 0.1], [0, 1], [1, 1]], dtype=np.float32)
        >>> k_center(line, np.array([0]), 2).tolist()
        [2, 3]

    """
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2 or not np.isfinite(features).all():
        raise InvalidInputError("Features must be numbers, one row for each image: extract them again.")
    images = len(features)
    if len(labeled) and not (labeled.min() >= 0 and labeled.max() < images):
        raise InvalidInputError(f"A labeled row is none of the {images:,} images.")
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(norms, np.finfo(np.float32).tiny)
    nearest = np.full(images, np.inf, dtype=np.float32)
    for start in range(0, len(labeled), _AT_ONCE):
        several = unit[labeled[start : start + _AT_ONCE]]
        nearest = np.minimum(nearest, 1 - (unit @ several.T).max(axis=1))
    chosen: list[int] = []
    while len(chosen) < min(count, images):
        if len(labeled) + len(chosen) == 0:
            row = _start(unit, seed)
        else:
            row = int(nearest.argmax())
            if nearest[row] <= _SAME:
                break
        chosen.append(row)
        nearest = np.minimum(nearest, 1 - unit @ unit[row])
        nearest[row] = 0
    return np.array(chosen, dtype=np.int64)


_SAME = 1e-6  # of a cosine distance in single precision: the same image
_CANDIDATES = 64
_AT_ONCE = 64  # labeled rows that are compared in one multiplication, which is many times faster than one by one


def _start(unit: NDArray[np.float32], seed: int) -> int:
    """Of some images drawn at random, the one nearest to the mean: a usual one."""
    drawn = np.random.default_rng([seed, _STREAM]).permutation(len(unit))[:_CANDIDATES]
    return int(drawn[(unit[drawn] @ unit.mean(axis=0)).argmax()])


_STREAM = 0xCE27E5
