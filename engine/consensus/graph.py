"""The graph of nearest neighbors in all teachers' features at once, and label propagation over it.

Below `EXACT_BELOW` images neighbors are found by comparing all pairs in all dimensions. From there on each teacher's
features are projected to `TEACHER_DIMENSIONS` and all of them together to `JOINT_DIMENSIONS`, and neighbors are found
by nearest-neighbor descent (pynndescent; Dong, Moses and Li 2011), seeded. docs/evidence.md says how near that comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.similarity.linear_algebra import centered

# From here on neighbors are approximate: the time of an exact search grows with the square of the images.
EXACT_BELOW = 20_000
# An edge weighs the cosine of its two images to this power, as in Iscen et al. 2019, section 4.1.
EDGE_POWER = 3
ROUNDS = 50  # at a propagation of .9 what is left after these is below .6 %

# Principal axes: of the ten nearest neighbors in nine teachers these keep 91 %, as many random axes 80 %.
TEACHER_DIMENSIONS, JOINT_DIMENSIONS = 128, 256
FITTED_ROWS = 10_000  # images that the axes are taken of: many times the dimensions, in a second or two
SEED = 0

_ROWS_AT_ONCE = 8_192
_ENTRIES_AT_ONCE = 1 << 24  # of `[n, columns]` that are propagated together: 64 MB in float32

ConsensusProgress: TypeAlias = Callable[
    [int, int | None, str, str], None
]  # done, total, unit, stage; may raise to stop
Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Vectors: TypeAlias = npt.NDArray[np.float32]


def joint_features(features: Mapping[str, Vectors], alpha: Mapping[str, float]) -> Vectors:
    """All teachers' features side by side `[n, Σ d_s]`, in which a product of rows is Σ_s α_s · cosine in teacher s.

    Each teacher's features are centered first. An image on a teacher's mean has no direction there and adds 0.
    """
    return side_by_side([directions(features[name], alpha[name]) for name in sorted(alpha)])


def directions(rows: Vectors, share: float) -> Vectors:
    """The centered rows `[n, d]` of one teacher, each with the length √`share`."""
    found = centered(rows)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(np.sqrt(share) * found / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)


def projected_directions(rows: Vectors, share: float) -> Vectors:
    """`directions` on their first principal axes, brought back to their length: `[n, at most TEACHER_DIMENSIONS]`."""
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    varies = rows.max(axis=0) != rows.min(axis=0)  # a constant is not exactly its own mean

    def unit(some: Vectors) -> Vectors:
        return _of_length(np.where(varies, some - mean, np.float32(0)), 1.0)

    return _on_axes(rows, unit, TEACHER_DIMENSIONS, float(np.sqrt(share)))


def side_by_side(parts: list[Vectors]) -> Vectors:
    """The parts `[n, d_s]` in one array `[n, Σ d_s]`; `parts` is empty afterwards, so that nothing is held twice."""
    joint = np.empty((len(parts[0]), sum(part.shape[1] for part in parts)), dtype=np.float32)
    filled = 0
    while parts:
        part = parts.pop(0)
        joint[:, filled : filled + part.shape[1]] = part
        filled += part.shape[1]
    return joint


def exact_neighbors(joint: Vectors, neighbors: int) -> npt.NDArray[np.integer[Any]]:
    """The `neighbors` other rows nearest to each of `joint [n, D]`: `[n, neighbors]`, by comparing all pairs in blocks,
    so that memory grows with n, not with its square.
    """
    from sklearn.neighbors import NearestNeighbors  # scikit-learn takes a second to load: most runs need none of it

    search = NearestNeighbors(n_neighbors=neighbors, algorithm="brute").fit(joint)
    return np.asarray(search.kneighbors(return_distance=False))


def reduced(joint: Vectors) -> Vectors:
    """`joint [n, D]` on its first principal axes, rows of length 1: `[n, at most JOINT_DIMENSIONS]`."""
    return _on_axes(joint, lambda some: some, JOINT_DIMENSIONS, 1.0)


def approximate_neighbors(joint: Vectors, neighbors: int, threads: int | None = None) -> npt.NDArray[np.integer[Any]]:
    """About the `neighbors` other rows nearest to each of `joint [n, D]`: `[n, neighbors + 1]`, in which the row itself
    may stand, and -1 where there is none.

    The same numbers each time for one number of `threads` (None: all cores); another number finds a few other
    neighbors. It compiles itself first: about 45 s of one core.
    """
    import numba  # it takes seconds to load, which nothing but this and a map is worth
    from pynndescent import NNDescent

    jobs = None if threads is None else min(threads, numba.get_num_threads())
    search = NNDescent(joint, metric="euclidean", n_neighbors=neighbors + 1, random_state=SEED, n_jobs=jobs)
    return np.asarray(search.neighbor_graph[0])


def graph_of(joint: Vectors, nearest: npt.NDArray[np.integer[Any]]) -> scipy.sparse.csr_matrix:
    """Symmetric graph `[n, n]` of the rows `joint [n, D]` and the `nearest [n, k]` of each, normalized by the root of
    both ends' degrees.
    """
    n, neighbors = nearest.shape
    weights = np.empty((n, neighbors))
    for block in blocks(n, _ROWS_AT_ONCE):
        for place in range(neighbors):
            cosine = np.einsum("nd,nd->n", joint[block], joint[nearest[block, place]])
            weights[block, place] = np.power(np.maximum(cosine.astype(np.float64), 0), EDGE_POWER)
    ends = nearest.ravel()
    starts = np.repeat(np.arange(n), neighbors)
    edge = (ends >= 0) & (ends != starts)
    one_way = scipy.sparse.csr_matrix((weights.ravel()[edge], (starts[edge], ends[edge])), shape=(n, n))
    both = one_way.maximum(one_way.T)
    scale = scipy.sparse.diags(1 / np.sqrt(np.maximum(np.asarray(both.sum(axis=1)).ravel(), np.finfo(np.float64).tiny)))
    return scipy.sparse.csr_matrix(scale @ both @ scale)


def propagate(graph: scipy.sparse.csr_matrix, probabilities: Floats, share: float, progress: ConsensusProgress) -> None:
    """Zhou et al. 2004, equation 3, in place: each round mixes the neighbors' probabilities with an image's own first
    ones. Classes do not mix, so they are done some at a time.
    """
    n, classes = probabilities.shape
    graph = graph.astype(probabilities.dtype)
    columns = list(blocks(classes, max(1, _ENTRIES_AT_ONCE // n)))
    for place, some in enumerate(columns):
        current = np.ascontiguousarray(probabilities[:, some])
        own = (1 - share) * current
        for round_ in range(ROUNDS):
            progress(place * ROUNDS + round_, len(columns) * ROUNDS, "rounds", "Propagating labels")
            current = graph @ current
            current *= share
            current += own
        probabilities[:, some] = current


def blocks(n: int, size: int) -> Iterator[slice]:
    """Slices of `size` that cover 0 ... n."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _on_axes(rows: Vectors, prepare: Callable[[Vectors], Vectors], dimensions: int, length: float) -> Vectors:
    """The prepared rows `[n, d]` on their first principal axes, each with that `length`."""
    from sklearn.utils.extmath import randomized_svd

    n, d = rows.shape
    axes = None
    if d > dimensions:
        some = np.sort(np.random.default_rng(SEED).choice(n, min(n, FITTED_ROWS), replace=False))
        axes = randomized_svd(prepare(rows[some]), min(dimensions, len(some)), random_state=SEED)[2].T
    found = np.empty((n, d if axes is None else axes.shape[1]), dtype=np.float32)
    for block in blocks(n, _ROWS_AT_ONCE):
        prepared = prepare(rows[block])
        found[block] = _of_length(prepared if axes is None else prepared @ axes, length)
    return found


def _of_length(rows: Vectors, length: float) -> Vectors:
    """The rows scaled to a length; one without any stays 0."""
    scale = np.float32(length) / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(rows * scale)
