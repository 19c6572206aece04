"""An ensemble of probes, one a teacher, then label propagation over the images' nearest neighbors.

n images of the training split, of which m have a label; C classes of the task; d dimensions of a teacher's features.
This is ours, beside the paper: its pseudo-labels are over the teachers' classes, these are over the task's.

Teachers come one after the other, and of all n images there are never more at once than one teacher's features, what is
kept of all of them for the search, and one `[n, C]`. Below `EXACT_BELOW` images everything is exact and in float64;
from there on probabilities are float32 (they leave as float32 anyway, and a student learns from them in half precision)
and neighbors are approximate (`engine.consensus.graph` says how near they come).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.consensus.graph import (
    EXACT_BELOW,
    ConsensusProgress,
    Floats,
    Vectors,
    approximate_neighbors,
    blocks,
    directions,
    exact_neighbors,
    graph_of,
    projected_directions,
    propagate,
    reduced,
    side_by_side,
)
from engine.errors import InvalidInputError
from engine.evaluation.arrays import IntArray
from engine.probes import fit_ridge

Graphs: TypeAlias = MutableMapping[Hashable, scipy.sparse.csr_matrix]  # by all that one follows from but the features
BLOCK = EXACT_BELOW  # images at once; one block where it is exact, so that no sum depends on how images are divided


@dataclass(frozen=True)
class Ensemble:
    """How the teachers' probes become one consensus. The defaults were chosen on the development tasks, never on a
    target.

    Raises InvalidInputError for a value with which there is no consensus, naming the field.
    """

    sharpness: float = 2.0  # exponent on probabilities, before and after propagation; 1 leaves them as they are
    neighbors: int = 10  # edges that an image has at least; 0: nothing is propagated
    # Share of what is said of an image that comes from its neighbors; with 1 nothing would be its own.
    propagation: float = 0.8

    def __post_init__(self) -> None:
        if not (_is_number(self.sharpness) and 0 < self.sharpness < math.inf):
            raise InvalidInputError(f"sharpness is {self.sharpness!r}: choose a number above 0.")
        if not (isinstance(self.neighbors, int) and _is_number(self.neighbors) and self.neighbors >= 0):
            raise InvalidInputError(f"neighbors is {self.neighbors!r}: choose a whole number from 0 up.")
        if not (_is_number(self.propagation) and 0 <= self.propagation < 1):
            raise InvalidInputError(f"propagation is {self.propagation!r}: choose a number from 0 to below 1.")


def consensus(
    features: Mapping[str, npt.NDArray[np.float32]],
    alpha: Mapping[str, float],
    labeled: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    classes: int,
    how: Ensemble | None = None,
    *,
    exact: bool | None = None,
    graphs: Graphs | None = None,
    threads: int | None = None,
    progress: ConsensusProgress = lambda done, total, unit, stage: None,
) -> npt.NDArray[np.float32]:
    """Class probabilities `[n, C]` of every image; rows sum to 1.

    features: `[n, d_s]` by teacher; each is asked for once, when its turn comes. alpha: each teacher's weight; they sum
    to 1. labeled: positions `[m]` of the images whose `labels [m]` may be used; nothing else is known of any image.
    exact: None leaves it to `EXACT_BELOW`. graphs: those of earlier calls with these features, which no label changes;
    what this call builds is put there. threads: of the search for approximate neighbors; None takes all cores.

    First a ridge probe on each teacher's features (`engine.probes`), averaged with `alpha`; then label propagation
    (Zhou et al. 2004) over the graph of nearest neighbors in all teachers' features at once, from those probabilities
    and the labels. Raises InvalidInputError if there is no teacher or no label, or if the arrays differ in length.
    """
    how = how or Ensemble()
    _check(features, alpha, labeled, labels)
    graphs, key = {} if graphs is None else graphs, (how.neighbors, *sorted(alpha.items()))
    asked = _Asked(labeled, labels, classes, exact, linked=how.neighbors > 0 and key not in graphs)
    for place, name in enumerate(sorted(alpha)):
        asked.ask(features[name], alpha[name], partial(_told, progress, place, len(alpha)))
    probabilities, exact = asked.probabilities, bool(asked.exact)
    for block in blocks(len(probabilities), BLOCK):
        probabilities[block] = sharpen(probabilities[block], how.sharpness)
    probabilities[labeled] = 0.0
    probabilities[labeled, labels] = 1.0
    if asked.parts and len(probabilities) > 1:
        progress(0, None, "", f"Searching neighbors among {len(probabilities):,} images")
        graphs[key] = _graph(asked.parts, min(how.neighbors, len(probabilities) - 1), exact, threads)
    if key in graphs:
        propagate(graphs[key], probabilities, how.propagation, progress)
        for block in blocks(len(probabilities), BLOCK):
            said = probabilities[block]
            said /= said.sum(axis=1, keepdims=True)
            probabilities[block] = sharpen(said, how.sharpness)
    return probabilities.astype(np.float32, copy=False)


def sharpen(probabilities: Floats, exponent: float) -> Floats:
    """Probabilities `[n, C]` to a power, renormalized: above 1 they become surer, at 1 they stay."""
    # Each row is first scaled to a largest entry of about 1, so that no power makes all of it 0.
    scale = np.frexp(probabilities.max(axis=1, keepdims=True))[1]  # powers of two, which change no digit
    powered = np.power(np.ldexp(probabilities, -scale), exponent)
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))


class _Asked:
    """What is kept of the teachers that were asked so far: the weighted mean of their probes, and their features in the
    form in which neighbors are searched.
    """

    def __init__(self, labeled: IntArray, labels: IntArray, classes: int, exact: bool | None, *, linked: bool) -> None:
        self.labeled, self.labels, self.exact, self.linked = labeled, labels, exact, linked
        self.probabilities: Floats = np.empty((0, classes))
        self.parts: list[Vectors] = []

    def ask(self, rows: Vectors, share: float, told: Callable[[int, int], None]) -> None:
        """One teacher's features `[n, d]`, which nothing holds afterwards."""
        classes = self.probabilities.shape[1]
        if not len(self.probabilities):
            self.exact = len(rows) < EXACT_BELOW if self.exact is None else self.exact
            self.probabilities = np.zeros((len(rows), classes), dtype=np.float64 if self.exact else np.float32)
        if len(rows) != len(self.probabilities):
            raise InvalidInputError("The teachers' features cover different numbers of images: extract them again.")
        told(0, len(rows))
        probe = fit_ridge(rows[self.labeled], self.labels, classes)
        for block in blocks(len(rows), BLOCK):
            told(block.start, len(rows))
            said = probe.predict_proba(rows[block]) if self.exact else probe.single_precision(rows[block])
            self.probabilities[block] += share * said
        if self.linked:
            self.parts.append(directions(rows, share) if self.exact else projected_directions(rows, share))


def _told(progress: ConsensusProgress, place: int, teachers: int, done: int, images: int) -> None:
    progress(place * images + done, teachers * images, "images × teachers", "Asking a probe on each teacher")


def _graph(parts: list[Vectors], neighbors: int, exact: bool, threads: int | None) -> scipy.sparse.csr_matrix:
    """Of the nearest neighbors in all teachers' features; `parts` is empty afterwards."""
    joint = side_by_side(parts)
    if exact:
        return graph_of(joint, exact_neighbors(joint, neighbors))
    joint = reduced(joint)
    return graph_of(joint, approximate_neighbors(joint, neighbors, threads))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(
    features: Mapping[str, npt.NDArray[np.float32]], alpha: Mapping[str, float], labeled: IntArray, labels: IntArray
) -> None:
    if not alpha:
        raise InvalidInputError("A consensus needs at least one teacher with a weight above 0: choose one.")
    if missing := sorted(set(alpha) - set(features)):
        raise InvalidInputError(f"Teacher {missing[0]!r} has a weight and no features: extract them first.")
    if not len(labeled) or len(labeled) != len(labels):
        raise InvalidInputError(
            f"A consensus needs one label for each labeled image: there are {len(labeled)} images and "
            f"{len(labels)} labels."
        )
