"""Arrays as they come in: converted once, checked once, and refused with a sentence that names what is wrong.

Everything above this file computes on float64 matrices and int64 vectors. NumPy arrays, sequences, and torch tensors of
any device and precision are accepted; torch itself is never imported here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

# How far a row of probabilities may be from summing to 1. Half precision over 1,000 classes rounds that far.
SUM_TOLERANCE = 1e-3
HALF_PRECISION_SUM_TOLERANCE = 1e-2


def to_numpy(value: Any) -> npt.NDArray[Any]:
    """The NumPy array of `value`: an array, a nested sequence, or a torch tensor on any device."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        tensor = value.detach().cpu()
        try:
            return np.asarray(tensor.numpy())
        except TypeError:  # bfloat16 has no NumPy counterpart
            return np.asarray(tensor.float().numpy())
    try:
        return np.asarray(value)
    except ValueError as error:
        raise InvalidInputError(f"A value is not an array ({error}): give rows of equal length.") from error


def as_matrix(value: npt.ArrayLike, name: str) -> FloatArray:
    """`value` as float64 `[n, d]` with n, d >= 1. Raises InvalidInputError if it is not such, or not finite."""
    array = to_numpy(value)
    if array.ndim != 2 or 0 in array.shape:
        raise InvalidInputError(f"{name} has shape {array.shape}: give one row per image and one column per dimension.")
    return _finite_floats(array, name)


def as_vector(value: npt.ArrayLike, name: str) -> FloatArray:
    """`value` as float64 `[n]` with n >= 1. Raises InvalidInputError if it is not such, or not finite."""
    array = to_numpy(value)
    if array.ndim != 1 or array.size == 0:
        raise InvalidInputError(f"{name} has shape {array.shape}: give a list of at least one number.")
    return _finite_floats(array, name)


def as_labels(value: npt.ArrayLike, name: str = "labels") -> IntArray:
    """`value` as int64 `[n]` with n >= 1; any ids, holes and negative ones too. Raises InvalidInputError otherwise."""
    array = to_numpy(value)
    if array.ndim != 1 or array.size == 0:
        raise InvalidInputError(f"{name} has shape {array.shape}: give one class id per image, at least one.")
    if array.dtype.kind not in "iub":
        raise InvalidInputError(f"{name} has dtype {array.dtype}: give whole numbers, such as int64 class ids.")
    return array.astype(np.int64)


def as_probabilities(value: npt.ArrayLike, name: str = "pseudo_labels") -> FloatArray:
    """`value` as float64 `[n, Z]`, no entry negative, each row scaled to sum to 1 exactly.

    Raises InvalidInputError if an entry is negative, or a row is off by more than rounding in its precision explains.
    """
    half = to_numpy(value).dtype.itemsize == 2
    matrix = as_matrix(value, name)
    if matrix.min() < 0:
        row, column = np.argwhere(matrix < 0)[0]
        raise InvalidInputError(
            f"{name} row {row}, column {column} is {matrix[row, column]:g}: probabilities cannot be negative; "
            "give the softmax, not the logits."
        )
    sums = matrix.sum(axis=1, keepdims=True)
    off = np.abs(sums[:, 0] - 1)
    if off.max() > (HALF_PRECISION_SUM_TOLERANCE if half else SUM_TOLERANCE):
        row = int(off.argmax())
        raise InvalidInputError(
            f"{name} row {row} sums to {sums[row, 0]:g}, not to 1: give the softmax over all the teacher's classes."
        )
    return np.asarray(matrix / sums)


def as_scored(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    """Probabilities `[n, C]` and class ids `[n]` of the same images, 0 ... C-1. Raises InvalidInputError otherwise."""
    scores, truth = as_probabilities(to_numpy(probabilities), "probabilities"), as_labels(labels)
    require_same_length(probabilities=scores, labels=truth)
    require_range(truth, scores.shape[1])
    return scores, truth


def as_flags(value: npt.ArrayLike, name: str) -> npt.NDArray[np.bool_]:
    """`value` as bool `[n]` with n >= 1. Raises InvalidInputError unless it holds True and False (or 0 and 1) alone."""
    array = to_numpy(value)
    if array.ndim != 1 or array.size == 0:
        raise InvalidInputError(f"{name} has shape {array.shape}: give True or False for each image, at least one.")
    if array.dtype.kind not in "iub" or not np.isin(array, (0, 1)).all():
        raise InvalidInputError(f"{name} holds something other than True and False: give one of them for each image.")
    return array.astype(np.bool_)


def as_groups(groups: npt.ArrayLike | None, images: int) -> IntArray:
    """`group_codes` of `groups [n]`, one for each of `images` images; of no groups, each image is one by itself.

    Raises InvalidInputError unless there are as many whole numbers as images.
    """
    if groups is None:
        return np.arange(images)
    codes = group_codes(groups)
    if len(codes) != images:
        raise InvalidInputError(f"There are {len(codes)} groups for {images} images: give the group of each image.")
    return codes


def group_codes(groups: npt.ArrayLike) -> IntArray:
    """`groups [n]`, one id an image, as codes `[n]` 0 ... G-1; an image with a negative id is a group by itself.

    Raises InvalidInputError if they are no whole numbers.

    >>> group_codes([7, 7, -1, 3, -1]).tolist()
    [1, 1, 2, 0, 3]
    """
    ids = as_labels(groups, "groups")
    alone = ids < 0
    named = np.unique(ids[~alone])
    codes = np.searchsorted(named, ids)
    codes[alone] = len(named) + np.arange(int(alone.sum()))
    return codes.astype(np.int64)


def require_range(labels: IntArray, number_of_classes: int) -> None:
    """Raise InvalidInputError unless all labels are class ids from 0 to C-1."""
    if labels.min() < 0 or labels.max() >= number_of_classes:
        wrong = int(labels.min() if labels.min() < 0 else labels.max())
        raise InvalidInputError(
            f"A label is {wrong}, and there are {number_of_classes} classes: use ids from 0 to {number_of_classes - 1}."
        )


def require_same_length(**arrays: npt.NDArray[Any] | None) -> None:
    """Raise InvalidInputError unless all the arrays that are given (not None) have the same number of rows."""
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise InvalidInputError(f"The inputs differ in their number of rows ({told}): give one row per image in each.")


def encode(labels: IntArray) -> tuple[IntArray, IntArray]:
    """Codes `[n]` 0 ... C-1 in the order of the ids, and how many there are of each `[C]` (never 0)."""
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return codes.reshape(-1).astype(np.int64), counts.astype(np.int64)


def _finite_floats(array: npt.NDArray[Any], name: str) -> FloatArray:
    """`array` as contiguous float64, after checking that it holds finite real numbers."""
    if array.dtype.kind not in "iubf":
        raise InvalidInputError(f"{name} has dtype {array.dtype}: give real numbers, such as float32.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0]
        where = f"row {place[0]}" + (f", column {place[1]}" if len(place) > 1 else "")
        raise InvalidInputError(
            f"{name} {where} is {array[tuple(place)]}: every value must be finite; "
            "leave that image out, or compute its row again."
        )
    return np.ascontiguousarray(array, dtype=np.float64)
