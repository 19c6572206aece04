"""Metrics on pairs of images: PARC and RSA. The distance of two images is 1 - Pearson correlation of their features.

References: Bolya et al. 2021, "Scalable Diverse Model Selection for Accessible Transfer Learning" (PARC); Dwivedi and
Roig 2019, "Representation Similarity Analysis for Efficient Task Taxonomy & Transfer Learning" (RSA).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_matrix, require_same_length
from engine.similarity.binned_pairs import MANY_IMAGES, BinnedPairs, Distances
from engine.similarity.metric import Card, Metric
from engine.similarity.once import once
from engine.similarity.outputs import LabeledOutputs
from engine.similarity.points import Classes, Points

# Up to here all distances are held at once, in float64; above, in blocks and float32: 20,000 images take 800 MB.
WHOLE_ROWS = 8_192
_BLOCK_ROWS = 2_048
_MASKED_ROWS = 1_024  # up to here a mask of all pairs is quicker than going through the rows
_PIECE = 1 << 22
_MANY_PAIRS = 1 << 20
_MOST_PLACE_BITS = 25  # the pairs of WHOLE_ROWS images; beyond, distances are float32 and memory is short

_KEPT = 1e-6  # of its length a row must keep when its mean is subtracted, or too many digits are lost
_FLAT = 1e-12  # a row whose z-scores differ by less is constant but for rounding

# Distances that are equal on paper differ in their last bits, which splits ties. A few split pairs do not move a rank
# correlation, large tied groups do; so when this share of the distances repeats, all are rounded to 10 decimals.
_TIED_SHARE = 0.3
_TIE_GAP = 1e-13
_TIE_DECIMALS = 10


def parc(pairs: Pairs, classes: Classes) -> float:
    """PARC: do images with different labels lie farther apart in the teacher's features? -100 to 100, higher is better.

    100 x Spearman correlation, over all pairs of images, of their distance and of having different labels. Raises
    TooFewLabelsError if all labels are the same or no two are.

    >>> points = Points(np.array([[3.0, 0.1, 0.0], [2.0, 0.0, 0.1], [0.0, 0.2, 2.0], [0.1, 0.0, 3.0]]))
    >>> round(parc(Pairs(points), Classes(np.array([0, 0, 1, 1]))), 2)
    82.81
    """
    _require_pairs_of_both_kinds(classes)
    return 100 * _correlation_with_membership(pairs, _same_class(classes.codes)) + 0.0


def rsa(first: Pairs, second: Pairs) -> float:
    """RSA: do two networks find the same pairs of images alike? -100 to 100, higher is more alike.

    100 x Spearman correlation, over all pairs of images, of their distances in one network's output and in another's.
    Raises TooFewLabelsError for fewer than three images, and InvalidInputError if all distances are the same in one of
    the two.

    >>> pairs = Pairs(Points(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.2], [0.9, 0.0, 0.1]])))
    >>> rsa(pairs, pairs)
    100.0
    """
    if first.points.n < 3:
        raise TooFewLabelsError(
            f"RSA needs 3 images or more, and there are {first.points.n}: two images are one pair only."
        )
    return 100 * _rank_correlation(first.doubled_ranks, second.doubled_ranks)


@dataclass(frozen=True)
class PairTerms:
    """PARC, pair by pair; every matrix is `[n, n]`, symmetric, with a diagonal of 0.

    value: PARC, the sum of `terms` above the diagonal. distances: 1 - correlation, 0 to 2. places: share 0..1 of all
    pairs that lie nearer, half of those as near counted in. terms: what a pair adds; above 0 it speaks for the teacher.
    """

    value: float
    distances: FloatArray
    places: FloatArray
    terms: FloatArray


def pair_terms(features: npt.ArrayLike, labels: npt.ArrayLike) -> PairTerms:
    """PARC of `features [n, d]` and `labels [n]` taken apart: Spearman's correlation is a mean over all pairs of the
    product of two standardized values, the rank of the distance and "different label". Raises as `parc`.

    >>> found = pair_terms([[3.0, 0.1, 0.0], [2.0, 0.0, 0.1], [0.0, 0.2, 2.0], [0.1, 0.0, 3.0]], [0, 0, 1, 1])
    >>> round(found.value, 2), round(float(np.triu(found.terms).sum()), 2)
    (82.81, 82.81)
    """
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    pairs, classes = Pairs(Points(matrix)), Classes(ids)
    value = parc(pairs, classes)
    ranks = pairs.doubled_ranks.astype(np.float64) / 2
    different = (~_same_class(classes.codes)).astype(np.float64)
    terms = (ranks - ranks.mean()) * (different - different.mean()) / (ranks.std() * different.std())
    count = len(ranks)
    return PairTerms(
        value,
        _square(np.asarray(pairs.distances, dtype=np.float64), len(matrix)),
        _square((ranks - 0.5) / count, len(matrix)),
        _square(100 * terms / count, len(matrix)),
    )


def _square(upper: FloatArray, n: int) -> FloatArray:
    """The symmetric matrix `[n, n]` of a value for each pair, in the order of the distances; its diagonal is 0."""
    found = np.zeros((n, n))
    found[np.triu_indices(n, 1)] = upper
    return found + found.T


class Pairs:
    """All pairs of n points, and how far apart each is."""

    def __init__(self, points: Points) -> None:
        self.points = points

    @once
    def distances(self) -> Distances:
        """1 - Pearson correlation of the z-scored rows, upper triangle in row order: `[n (n - 1) / 2]`.

        Those that are equal on paper are equal. A row without any variation correlates with none: its distances are 1.
        Above `WHOLE_ROWS` rows in float32.
        """
        distances = self._plain
        return np.round(distances, _TIE_DECIMALS) if self._tied else distances

    @once
    def ordered(self) -> Distances:
        """The distances, rising."""
        return np.round(self._plain_ordered, _TIE_DECIMALS) if self._tied else self._plain_ordered

    @once
    def doubled_ranks(self) -> npt.NDArray[np.uint32]:
        """Twice the rank of each distance."""
        return _doubled_ranks(self.distances)

    @once
    def _plain(self) -> Distances:
        standard = self.points.standard
        if standard.n > WHOLE_ROWS:
            return _blocked_distances(standard.matrix)
        return 1 - _upper(_correlations(standard))

    @once
    def _plain_ordered(self) -> Distances:
        return np.sort(self._plain)

    @once
    def _tied(self) -> bool:
        ordered = self._plain_ordered
        if ordered.dtype != np.float64 or len(ordered) < 2:
            return False
        return float(np.mean(np.diff(ordered) < _TIE_GAP)) > _TIED_SHARE


def _correlations(standard: Points) -> FloatArray:
    """Correlations of the rows of `standard`, `[n, n]`; 0 where a row has no variation."""
    n, d = standard.n, standard.d
    if d == 1:
        return np.zeros((n, n))
    if standard.wide and standard.unit:  # from the kernel, where subtracting each row's mean loses no digits
        means = standard.row_sums / (d * standard.unit)
        inner = standard.kernel - d * np.outer(means, means)
        if (np.diagonal(inner) > _KEPT * standard.lengths).all():
            lengths = np.sqrt(np.diagonal(inner))
            inner /= lengths[:, None]
            inner /= lengths
            return np.asarray(np.clip(inner, -1, 1, out=inner))
    rows = standard.matrix
    flat = np.ptp(rows, axis=1) <= _FLAT * np.maximum(np.abs(rows).max(axis=1), 1.0)
    rows = np.where(flat[:, None], 0.0, rows) if flat.any() else rows
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.atleast_2d(np.corrcoef(rows))
    correlations[flat] = 0.0
    correlations[:, flat] = 0.0
    return np.asarray(correlations)


def _upper(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The upper triangle in row order, without the diagonal."""
    n = len(matrix)
    if n <= _MASKED_ROWS:
        return np.asarray(matrix[_upper_mask(n)])
    return np.concatenate([matrix[row, row + 1 :] for row in range(n)])


@lru_cache(maxsize=8)
def _upper_mask(n: int) -> npt.NDArray[np.bool_]:
    return np.triu(np.ones((n, n), dtype=bool), 1)


def _same_class(codes: IntArray) -> npt.NDArray[np.bool_]:
    """Which pairs, in the order of the distances, have one class."""
    if len(codes) <= _MASKED_ROWS:
        return np.asarray(_upper(codes[:, None] == codes))
    return np.concatenate([codes[row + 1 :] == codes[row] for row in range(len(codes))])


def _blocked_distances(rows: FloatArray) -> npt.NDArray[np.float32]:
    n = len(rows)
    units = rows - rows.mean(axis=1, keepdims=True)
    units[np.ptp(rows, axis=1) <= _FLAT * np.maximum(np.abs(rows).max(axis=1), 1.0)] = 0.0
    norms = np.linalg.norm(units, axis=1, keepdims=True)
    units /= np.where(norms > 0, norms, 1.0)
    distances = np.empty(n * (n - 1) // 2, dtype=np.float32)
    filled = 0
    for start in range(0, n, _BLOCK_ROWS):
        block = 1 - units[start : start + _BLOCK_ROWS] @ units[start:].T
        for row in range(len(block)):
            count = n - start - row - 1
            distances[filled : filled + count] = block[row, row + 1 :]
            filled += count
    return np.maximum(distances, 0, out=distances)


def _correlation_with_membership(pairs: Pairs, same: npt.NDArray[np.bool_]) -> float:
    """Spearman correlation of the distances with "different label", which takes two values only.

    So the sum of the ranks of the smaller group is all that is needed (as in the rank-sum test), and no order of pairs.
    """
    few = 2 * np.count_nonzero(same) <= len(same)
    members, ordered = pairs.distances[same if few else ~same], pairs.ordered
    members.sort()
    total, inside = float(len(ordered)), float(len(members))
    excess = (_doubled_rank_sum(ordered, members) - inside * (total + 1)) / 2
    spread = (total**3 - total - _tie_correction(ordered)) / 12
    _require_spread(spread)
    return float((-1 if few else 1) * excess / np.sqrt(spread * inside * (total - inside) / total))


def _doubled_rank_sum(ordered: Distances, members: Distances) -> float:
    """Twice the sum of the ranks that `members` have in `ordered`, both rising; in pieces, for the memory's sake."""
    doubled = float(len(members))
    for start in range(0, len(members), _PIECE):
        piece = members[start : start + _PIECE]
        doubled += float(np.searchsorted(ordered, piece, side="left").sum())
        doubled += float(np.searchsorted(ordered, piece, side="right").sum())
    return doubled


def _tie_correction(ordered: Distances) -> float:
    """Sum of t^3 - t over the groups of t equal values in `ordered`; in pieces, for the memory's sake."""
    correction, last = 0.0, 0
    for start in range(0, len(ordered), _PIECE):
        piece = ordered[start : start + _PIECE + 1]
        starts = np.concatenate([[last], start + 1 + np.flatnonzero(piece[1:] != piece[:-1])])
        sizes = np.diff(starts).astype(np.float64)
        correction += float((sizes**3 - sizes).sum())
        last = int(starts[-1])
    size = float(len(ordered) - last)
    return correction + size**3 - size


def _doubled_ranks(values: Distances) -> npt.NDArray[np.uint32]:
    """Twice the rank of each value, 2 ... 2N, ties sharing their mean rank: whole numbers, at half the memory."""
    order, ordered = _order(values)
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    edges = np.concatenate([[0], starts, [len(values)]])
    del ordered, starts
    ranks = np.empty(len(values), dtype=np.uint32)
    ranks[order] = np.repeat((edges[:-1] + edges[1:] + 1).astype(np.uint32), np.diff(edges))
    return ranks


def _order(values: Distances) -> tuple[npt.NDArray[np.integer[Any]], npt.NDArray[Any]]:
    """Which values come first, and keys that rise in that order and are equal where values are.

    Of very many distances, each 0 to 2, a whole number of 64 bits holds value and place, so that plain numbers are
    sorted: half the time. There distances that differ by less than 1e-11 count as equal.
    """
    places = len(values).bit_length()
    if len(values) < _MANY_PAIRS or places > _MOST_PLACE_BITS:
        order = np.argsort(values)
        return order, values[order]
    keys = (values * 2.0 ** (62 - places)).astype(np.uint64)
    keys <<= np.uint64(places)
    keys |= np.arange(len(values), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64((1 << places) - 1)).astype(np.int64), keys >> np.uint64(places)


def _rank_correlation(first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32]) -> float:
    """Pearson correlation of two lists of doubled ranks, in pieces, so that float64 copies stay small."""
    middle = len(first) + 1.0
    products = np.zeros(3)
    for start in range(0, len(first), 1 << 22):
        x = first[start : start + (1 << 22)] - middle
        y = second[start : start + (1 << 22)] - middle
        products += [x @ y, x @ x, y @ y]
    _require_spread(products[1] * products[2])
    return float(products[0] / np.sqrt(products[1] * products[2]))


def _require_spread(spread: float) -> None:
    if not spread > 0:
        raise InvalidInputError(
            "All pairs of images are equally far apart in the features, so there is nothing to correlate: "
            "the features need 3 dimensions or more, and must differ between images."
        )


def _require_pairs_of_both_kinds(classes: Classes) -> None:
    if classes.counts.max() < 2:
        raise TooFewLabelsError(
            "PARC compares pairs of the same class with pairs of different classes, and no class has two labeled "
            "images: label 2 or more images of a class."
        )
    if classes.number == 1:
        raise TooFewLabelsError("PARC needs labeled images of two classes or more, and only one class occurs.")


def _pairs(outputs: LabeledOutputs) -> Pairs:
    """All pairs of images in the features."""
    return Pairs(outputs.points)


def _other_pairs(outputs: LabeledOutputs) -> Pairs:
    """All pairs of images in what RSA compares the features with: a second network's, or the pseudo-labels."""
    return Pairs(outputs.features2 if outputs.features2 is not None else Points(outputs.theta))


def _binned(outputs: LabeledOutputs) -> BinnedPairs:
    pairs = outputs.shared(_pairs)
    return BinnedPairs(pairs.points.n, pairs.distances, pairs.ordered)


def _binned_others(outputs: LabeledOutputs) -> BinnedPairs:
    pairs = outputs.shared(_other_pairs)
    return BinnedPairs(pairs.points.n, pairs.distances, pairs.ordered)


def _drawn_of_many(outputs: LabeledOutputs) -> tuple[LabeledOutputs, IntArray] | None:
    """All images and the rows drawn of them, where these are too many for each draw to have distances of its own."""
    drawn = outputs.drawn_from
    return drawn if drawn is not None and drawn[0].points.n > MANY_IMAGES else None


def _parc(outputs: LabeledOutputs) -> float:
    if (drawn := _drawn_of_many(outputs)) is None:
        return parc(outputs.shared(_pairs), outputs.classes)
    _require_pairs_of_both_kinds(outputs.classes)
    whole, rows = drawn
    return whole.shared(_binned).parc(rows, outputs.classes)


def _rsa(outputs: LabeledOutputs) -> float:
    if (drawn := _drawn_of_many(outputs)) is None:
        return rsa(outputs.shared(_pairs), outputs.shared(_other_pairs))
    whole, rows = drawn
    return whole.shared(_binned).rsa(whole.shared(_binned_others), rows)


PARC = Metric(
    key="parc",
    title="PARC",
    summary="Are images with different labels farther apart in the teacher's features than images with the same?",
    labels_per_class=2,
    range="−100 to 100; higher is better, 0 is unrelated",
    rule="clip",
    cost="n² d + n² log n",
    reference="Bolya et al. 2021",
    unit="rank correlation × 100",
    scale=100.0,
    turn=3,
    of_outputs=_parc,
    card=Card(
        r"100\cdot\rho\bigl(1-\mathrm{corr}(z_i,z_j),\ [y_i\neq y_j]\bigr)_{i<j}",
        "z: the features, each dimension scaled to mean 0 and spread 1; y: the labels; ρ: Spearman's rank correlation.",
        "All pairs of labeled images: whether those with different labels lie farther apart.",
        "Only ties reach 100. Where all distances differ, a perfect teacher gets 87 with two classes of equal size, 52 "
        "with ten, 17 with a hundred: compare teachers of one task, never scores of two tasks. It cannot see classes "
        "that a linear head would separate. Its authors' best variant takes 32 principal axes; here all dimensions "
        "count.",
        "Bolya, Mittapalli, Hoffman 2021, Scalable Diverse Model Selection for Accessible Transfer Learning, NeurIPS, "
        "arXiv 2111.06977",
    ),
)

RSA = Metric(
    key="rsa",
    title="RSA",
    summary="Does the teacher find the same pairs of images alike as a second network, or its own pseudo-labels?",
    needs=("features",),
    needs_one_of=("features2", "pseudo_labels"),
    labels_per_class=0,
    range="−100 to 100; higher is more alike, 0 is unrelated",
    rule="clip",
    cost="n² d + n² log n",
    reference="Dwivedi and Roig 2019",
    unit="rank correlation × 100",
    scale=100.0,
    turn=7,
    of_outputs=_rsa,
    card=Card(
        r"100\cdot\rho\bigl(1-\mathrm{corr}(z_i,z_j),\ 1-\mathrm{corr}(t_i,t_j)\bigr)_{i<j}",
        "z, t: the outputs of two networks, each dimension scaled to mean 0 and spread 1.",
        "Whether two networks find the same pairs of images alike; here the teacher's features and its own "
        "pseudo-labels.",
        "It does not use your labels: a teacher that agrees with itself scores high on any images. (Its authors "
        "compare with a network that was trained on the task, and there is none yet.) It takes no part in the "
        "mean rank.",
        "Dwivedi, Roig 2019, Representation Similarity Analysis for Efficient Task Taxonomy & Transfer Learning, CVPR, "
        "arXiv 1904.11740",
    ),
)

METRICS = (PARC, RSA)
