"""Which images are held out to test the student: at random within each class, or by whole groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInputError

TEST_SHARE = 0.2  # ours: one image in five leaves most labels to learn from, and enough to tell methods apart
OUT = "out"  # a split of images that take no part


def hold_out(
    labels: NDArray[np.int64], units: NDArray[np.int64], test_share: float = TEST_SHARE, seed: int = 0
) -> NDArray[np.str_]:
    """ "train" or "test" for each image, `[images]`: of each class about `test_share` of the labeled images, drawn at
    random, so that images of one unit (a group, or copies of each other) are never on both sides.

    labels `[images]`, -1 for unlabeled; units `[images]`, any numbers. Unlabeled images train, unless their unit is
    held out: then they are "out". Classes keep at least one image on each side where their units allow it.
    Raises InvalidInputError for a share that is not between 0 and 1.
    """
    if not 0 < test_share < 1:
        raise InvalidInputError(f"{test_share} is no share of test images: choose one from 0 to 1, such as 0.2.")
    splits = np.full(len(labels), "train", dtype="<U5")
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        return splits
    names, of_image = np.unique(units[known], return_inverse=True)
    classes = int(labels.max()) + 1
    counts = np.zeros((len(names), classes), dtype=np.int64)
    np.add.at(counts, (of_image, labels[known]), 1)
    # Each image has its number whatever its label, so that a few more labels change few sides.
    chances = np.random.default_rng([seed, _STREAM]).random(len(labels))
    of_units = np.ones(len(names))
    np.minimum.at(of_units, of_image, chances[known])
    held = names[_draw(counts, test_share, np.argsort(of_units, kind="stable"))]
    in_held = np.isin(units, held)
    splits[in_held] = np.where(labels[in_held] >= 0, "test", OUT)
    return splits


def _draw(counts: NDArray[np.int64], share: float, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which units are held out, `[units]`; counts `[units, classes]`, order of the units by their random numbers.

    Units of one image are drawn class by class. For the others, in a drawn order with the large ones first, a unit is
    held out if that brings the classes closer to their targets (a greedy of ours).
    """
    totals = counts.sum(axis=0)
    targets = np.rint(totals * share).astype(np.int64)
    targets[(totals >= 2) & (targets == 0)] = 1
    targets = np.minimum(targets, np.maximum(totals - 1, 0))
    held = np.zeros(len(counts), dtype=bool)
    sizes = counts.sum(axis=1)
    taken = np.zeros(counts.shape[1], dtype=np.int64)
    large = order[sizes[order] > 1]
    for unit in large[np.argsort(-sizes[large], kind="stable")]:
        of_unit = counts[unit]
        there = of_unit > 0
        weight = 1 / np.maximum(targets[there], 1)
        before = ((targets[there] - taken[there]) ** 2 * weight).sum()
        after = ((targets[there] - taken[there] - of_unit[there]) ** 2 * weight).sum()
        leaves_some = (taken[there] + of_unit[there] < totals[there]).all()
        if after < before and leaves_some:
            held[unit] = True
            taken += of_unit
    if len(large) > 1 and not held.any() and len(large) == len(counts):  # every unit is too large for the share
        smallest = min(large, key=lambda unit: int(sizes[unit]))
        if not (counts[smallest] == totals)[counts[smallest] > 0].any():
            held[smallest] = True
    single = order[sizes[order] == 1]
    of_single = counts[single].argmax(axis=1)
    for label in range(counts.shape[1]):
        wanted = max(0, int(targets[label] - taken[label]))
        held[single[of_single == label][:wanted]] = True
    return held


_STREAM = 0x5B117  # keeps this draw apart from every other random stream of the same seed


def joined_units(*kinds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Units that join images which share a unit of any kind, directly or through others, `[images]`.

    Each kind is `[images]`; -1 joins nothing.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(kinds[0])
    left, right, offset = [], [], count
    for kind in kinds:
        rows = np.flatnonzero(kind >= 0)
        if not len(rows):
            continue
        left.append(rows)
        right.append(kind[rows] + offset)
        offset += int(kind.max()) + 1
    a = np.concatenate(left) if left else np.empty(0, dtype=np.int64)
    b = np.concatenate(right) if right else np.empty(0, dtype=np.int64)
    graph = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(offset, offset))
    return np.asarray(connected_components(graph, directed=False)[1][:count], dtype=np.int64)
