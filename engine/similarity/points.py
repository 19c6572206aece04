"""Images as points in a teacher's feature space, and what several metrics need of them, computed once.

n images, d dimensions, C classes. With few labels n is the smaller side and everything that rotation leaves alone
follows from the kernel `[n, n]` of inner products; with many labels it follows from the Gram matrix `[d, d]`. A draw of
half the images takes its kernel from the kernel of all: that is what makes hundreds of draws cheap.

Kernel and Gram matrix are of the centered features divided by `unit`, a power of two near their largest entry, so that
squares neither overflow nor vanish; metrics that depend on the scale multiply by its square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.evaluation.arrays import FloatArray, IntArray, encode
from engine.similarity.linear_algebra import centered, compact, standardized, triangle
from engine.similarity.once import once

# A product of a matrix with itself squares the condition number. While its eigenvalues span less than this, what is
# computed from it is right to about 1e-8; beyond, the slower singular value decomposition of the matrix is taken.
_SPAN = 1e-8
_NOTHING = 1e-20  # of the squared lengths before a draw: what is left of copies of one image is rounding


class Classes:
    """The labels `[n]` as codes 0 ... C-1 in the order of the ids; every class has an image."""

    def __init__(self, labels: IntArray) -> None:
        self.codes, self.counts = encode(labels)

    @property
    def number(self) -> int:
        """C."""
        return len(self.counts)

    @once
    def order(self) -> IntArray:
        """Row numbers, class by class."""
        return np.argsort(self.codes, kind="stable")

    @once
    def starts(self) -> IntArray:
        """Where each class begins in `order`."""
        return np.concatenate([[0], np.cumsum(self.counts)[:-1]])

    @once
    def points(self) -> Points:
        """The labels as indicator columns: `[n, C]`."""
        return Points(np.eye(self.number)[self.codes])

    def sums(self, rows: FloatArray) -> FloatArray:
        """Sum of the rows of each class: `[C, d]`."""
        return np.asarray(np.add.reduceat(rows[self.order], self.starts, axis=0))

    def means(self, rows: FloatArray) -> FloatArray:
        """Mean of the rows of each class: `[C, d]`, or `[C]` of a vector."""
        return (self.sums(rows).T / self.counts).T

    def by_size(self) -> list[tuple[int, IntArray]]:
        """Classes of one size together: the size and the row numbers `[classes, size]`."""
        return [
            (int(size), np.stack([self.order[self.starts[c] : self.starts[c] + size] for c in chosen]))
            for size in np.unique(self.counts)
            if len(chosen := np.flatnonzero(self.counts == size))
        ]


@dataclass(frozen=True)
class Spectrum:
    """Singular values `[r]`, falling, of n points, none of them 0, and what belongs to each."""

    values: FloatArray
    left: FloatArray | None  # [n, r]; None where there are fewer dimensions than images
    axes: FloatArray | None  # [d, r], with the rows [n, d] that they belong to
    rows: FloatArray | None

    def class_sums(self, classes: Classes) -> FloatArray:
        """Sums of the left singular vectors over each class: `[C, r]`."""
        if self.left is not None:
            return classes.sums(self.left)
        assert self.rows is not None
        assert self.axes is not None
        return np.asarray(classes.sums(self.rows) @ self.axes / self.values)

    def left_vectors(self) -> FloatArray:
        """The left singular vectors: `[n, r]`."""
        if self.left is not None:
            return self.left
        assert self.rows is not None
        assert self.axes is not None
        return np.asarray(self.rows @ self.axes / self.values)


class Points:
    """n points in d dimensions, from a checked matrix."""

    def __init__(self, matrix: FloatArray) -> None:
        self.matrix = matrix
        self.n: int = matrix.shape[0]
        self.d: int = matrix.shape[1]

    @property
    def wide(self) -> bool:
        """Whether the kernel is the smaller of the two products."""
        return self.n <= self.d

    @property
    def constant(self) -> bool:
        """Whether all points are the same."""
        return bool(self.unit == 0)

    @once
    def centered(self) -> FloatArray:
        """`[n, d]` with the mean of each column subtracted; a constant column is exactly 0."""
        return centered(self.matrix)

    @once
    def unit(self) -> float:
        """A power of two near the largest entry of `centered`; 0 if all points are the same."""
        return _power_of_two(float(np.abs(self.centered).max()))

    def in_units(self) -> FloatArray:
        """The centered points in units: `[n, d]`."""
        return self.centered if self.unit in (0.0, 1.0) else self.centered / self.unit

    @once
    def rows(self) -> FloatArray:
        """The centered points in coordinates of the space they span, `[n, min(n, d)]`, in their own scale."""
        return compact(self.centered)

    @once
    def row_sums(self) -> FloatArray:
        """Sum over the dimensions of each centered point: `[n]`."""
        return np.asarray(self.centered.sum(axis=1))

    @once
    def kernel(self) -> FloatArray:
        """Inner products of the centered points in units: `[n, n]`."""
        scaled = self.in_units()
        return np.asarray(scaled @ scaled.T)

    @once
    def gram(self) -> FloatArray:
        """Inner products of the centered dimensions in units: `[d, d]`."""
        scaled = self.in_units()
        return np.asarray(scaled.T @ scaled)

    @property
    def product(self) -> FloatArray:
        """The smaller of kernel and Gram matrix; they have the same eigenvalues but for zeros."""
        return self.kernel if self.wide else self.gram

    @once
    def lengths(self) -> FloatArray:
        """Squared lengths of the centered points in units: `[n]`."""
        if self.wide:
            return np.diagonal(self.kernel).copy()
        return np.asarray(np.square(self.in_units()).sum(axis=1))

    @once
    def eigen(self) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues of `product`, rising, and its eigenvectors; the small ones are rounding."""
        values, vectors = np.linalg.eigh(self.product)
        return values, vectors

    @once
    def spectrum(self) -> Spectrum:
        """Of the centered points in units."""
        return _spectrum(self.eigen, self.wide, self.in_units)

    @once
    def raw_unit(self) -> float:
        """A power of two near the largest entry of `matrix`; 1 if there is none but 0."""
        return _power_of_two(float(np.abs(self.matrix).max())) or 1.0

    @once
    def raw_kernel(self) -> FloatArray:
        """Inner products of the points as they are, not centered, divided by the square of `raw_unit`: `[n, n]`."""
        scaled = self.matrix / self.raw_unit
        return np.asarray(scaled @ scaled.T)

    @once
    def raw_spectrum(self) -> Spectrum:
        """Of the points as they are, not centered, divided by `raw_unit`."""
        if self.wide:
            product = self.raw_kernel
        else:
            mean = self.matrix.mean(axis=0) / self.raw_unit
            product = self.gram * (self.unit / self.raw_unit) ** 2 + self.n * np.outer(mean, mean)
        values, vectors = np.linalg.eigh(product)
        return _spectrum((values, vectors), self.wide, lambda: self.matrix / self.raw_unit)

    @once
    def standard(self) -> Points:
        """The points with each dimension scaled to mean 0 and variance 1; a constant dimension becomes 0."""
        return _Centered(standardized(self.matrix)[0])

    def principal(self, components: int) -> FloatArray:
        """Centered points in their first principal axes: `[n, min(components, n, d)]`, in their own scale."""
        values, vectors = self.eigen
        take = min(components, len(values))
        if self.wide:
            leading = np.sqrt(np.maximum(values[: -take - 1 : -1], 0))
            return np.asarray(vectors[:, : -take - 1 : -1] * leading * self.unit)
        return np.asarray(self.centered @ vectors[:, : -take - 1 : -1])

    def take(self, rows: IntArray) -> Points:
        """Some of the points."""
        return _Drawn(self, rows)


class _Centered(Points):
    """Points whose dimensions have mean 0 already."""

    @once
    def centered(self) -> FloatArray:
        return self.matrix

    @once
    def unit(self) -> float:
        return 1.0 if self.matrix.any() else 0.0  # they are about 1


class _Drawn(Points):
    """Some points of others; with few of them kernels are cut out of the others' kernels."""

    def __init__(self, whole: Points, rows: IntArray) -> None:
        self.whole, self.chosen = whole, rows
        self.n, self.d = len(rows), whole.d
        self.cut = self.wide and whole.wide

    @once
    def matrix(self) -> FloatArray:  # a field there, made when asked for here
        return self.whole.matrix[self.chosen]

    @once
    def unit(self) -> float:
        if not self.cut:
            return _power_of_two(float(np.abs(self.centered).max()))
        before = float(self.whole.lengths.max())
        return self.whole.unit if float(np.diagonal(self.kernel).max()) > _NOTHING * before else 0.0

    @once
    def row_sums(self) -> FloatArray:
        if not self.cut:
            return np.asarray(self.centered.sum(axis=1))
        sums = self.whole.row_sums[self.chosen]
        return np.asarray(sums - sums.mean())

    @once
    def rows(self) -> FloatArray:
        return self.principal(self.n) if self.cut else compact(self.centered)

    @once
    def kernel(self) -> FloatArray:
        if not self.cut:
            scaled = self.in_units()
            return np.asarray(scaled @ scaled.T)
        block = self.whole.kernel[np.ix_(self.chosen, self.chosen)]
        means = block.mean(axis=0)
        return np.asarray(block - means - means[:, None] + means.mean())

    @once
    def raw_unit(self) -> float:
        return self.whole.raw_unit if self.cut else _power_of_two(float(np.abs(self.matrix).max())) or 1.0

    @once
    def raw_kernel(self) -> FloatArray:
        if self.cut:
            return self.whole.raw_kernel[np.ix_(self.chosen, self.chosen)]
        scaled = self.matrix / self.raw_unit
        return np.asarray(scaled @ scaled.T)


def _power_of_two(largest: float) -> float:
    return float(2.0 ** np.floor(np.log2(largest))) if 0 < largest < np.inf else largest


def _spectrum(eigen: tuple[FloatArray, FloatArray], wide: bool, matrix: Callable[[], FloatArray]) -> Spectrum:
    """From the eigenvectors of the product where they are good enough, else from the matrix itself."""
    squares, vectors = eigen
    largest = max(float(squares[-1]), 0.0)
    rounding = len(squares) * np.finfo(np.float64).eps * largest
    kept = squares > max(_SPAN * largest, np.finfo(np.float64).tiny)
    if wide and ((squares > rounding) & ~kept).any():
        left, values, _ = scipy.linalg.svd(compact(matrix()), full_matrices=False, check_finite=False)
        known = _known(values, len(left))
        return Spectrum(values[known], left[:, known], None, None)
    if not wide and not kept.all():
        rows = matrix()
        _, values, axes = scipy.linalg.svd(triangle(rows), full_matrices=False, check_finite=False)
        known = _known(values, len(rows))
        return Spectrum(values[known], None, axes[known].T, rows)
    values = np.sqrt(squares[kept][::-1])
    if wide:
        return Spectrum(values, vectors[:, kept][:, ::-1], None, None)
    return Spectrum(values, None, vectors[:, ::-1], matrix())


def _known(values: FloatArray, longer: int) -> npt.NDArray[np.bool_]:
    """Which singular values are more than rounding."""
    return np.asarray(values > longer * np.finfo(np.float64).eps * values[0])
