"""Images that are the same, or look the same: exact copies by checksum, near ones by perceptual hash.

The hash is pHash of 64 bits (imagehash): the signs of an image's low frequencies. Two images are near duplicates if
their hashes differ in few bits and small color copies of them agree; either alone finds too much among simple drawings.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Ours, from the bundled tasks: of images that were resized to 60 % and saved as JPEG, 19 of 20 stay within both, while
# no two of 1,200 images of Fashion-MNIST, whose kinds look much alike, come as close.
LARGEST_DISTANCE = 6  # bits of 64
LARGEST_DIFFERENCE = 6.0  # root mean square over an 8 × 8 copy, of 255
# One band more than the distance, so that one of them must be equal.
_BANDS = ((0, 9), (9, 18), (18, 27), (27, 36), (36, 45), (45, 54), (54, 64))
_LONGEST_BUCKET = 8000  # hashes; a longer bucket holds drawings and the like
_NEIGHBORS = 16  # by hash, to compare with in such a bucket
_MOST_COMPARED = 200  # images that one is compared with in pixels in one bucket; bounds time and memory
_PORTION = 4096  # small copies that are looked at in one step
FLAT = 2.0  # standard deviation of the small copy, of 255, below which an image shows nothing


def exact_clusters(checksums: Sequence[str]) -> NDArray[np.int64]:
    """For each image, the first image with the same content, `[images]`; itself if it is the first."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(checksum, row) for row, checksum in enumerate(checksums)], dtype=np.int64)


def shows_nothing(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of the images are of one color all over, by their small copies `[images, 192]`."""
    parts = [small[i : i + _PORTION].astype(np.float32).std(axis=1) < FLAT for i in range(0, len(small), _PORTION)]
    return np.concatenate([np.empty(0, dtype=bool), *parts])


def near_clusters(hashes: NDArray[np.uint64], small: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each image, the first image of those that look like it, directly or through others, `[images]`.

    hashes `[images]`, small `[images, 192]` (8 × 8 RGB). Images that show nothing look like no other one.
    Images that are known to belong together are not compared, so that many copies of one image take no longer than as
    many different ones.
    """
    clusters = _Clusters(len(hashes))
    rows = np.flatnonzero(~shows_nothing(small))
    means = small.mean(axis=1, dtype=np.float32)
    for low, high in _BANDS:
        keys = (hashes[rows] >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1], True])
        for start, stop in itertools.pairwise(starts):
            _compare(rows[order[start:stop]], hashes, small, means, clusters)
    return clusters.of(np.arange(len(hashes)))


class _Clusters:
    """Images that belong together: a forest whose trees are clusters, each with its first image as root."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count, dtype=np.int64)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first image of the cluster of each row."""
        roots = self._parent[rows]
        while (self._parent[roots] != roots).any():
            roots = self._parent[roots]
        self._parent[rows] = roots
        return roots

    def join(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
        """Let each row of `left` belong with the row of `right` in the same place."""
        while len(left):
            a, b = self.of(left), self.of(right)
            apart = a != b
            left, right = np.minimum(a, b)[apart], np.maximum(a, b)[apart]
            self._parent[right] = left  # where a root has several, one of them; the others are seen in the next round


def _compare(
    bucket: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    small: NDArray[np.uint8],
    means: NDArray[np.float32],
    clusters: _Clusters,
) -> None:
    """Join the images of a bucket, whose hashes agree in a band, that look alike.

    Each is compared with those after it, but not with those of its own cluster; in pixels only with those whose hashes
    and means are close (means differ by no more than the pixels do). In a very long bucket it is compared only with its
    neighbors by hash and mean.
    """
    if len(bucket) > _LONGEST_BUCKET:
        bucket = bucket[np.lexsort((means[bucket], hashes[bucket]))]
        for distance in range(1, _NEIGHBORS + 1):
            for start in range(0, len(bucket) - distance, _PORTION):
                one = bucket[start : min(start + _PORTION, len(bucket) - distance)]
                other = bucket[start + distance : start + distance + len(one)]
                close = np.bitwise_count(hashes[one] ^ hashes[other]) <= LARGEST_DISTANCE
                close &= clusters.of(one) != clusters.of(other)
                one, other = one[close], other[close]
                alike = _look_alike(small, one, other)
                clusters.join(one[alike], other[alike])
        return
    of_bucket, means_of, cluster = hashes[bucket], means[bucket], clusters.of(bucket)
    for i in range(len(bucket) - 1):
        close = np.bitwise_count(of_bucket[i + 1 :] ^ of_bucket[i]) <= LARGEST_DISTANCE
        close &= cluster[i + 1 :] != cluster[i]
        close &= np.abs(means_of[i + 1 :] - means_of[i]) <= LARGEST_DIFFERENCE
        others = bucket[i + 1 :][close][:_MOST_COMPARED]
        one = np.full(len(others), bucket[i])
        if len(others) and (alike := _look_alike(small, one, others)).any():
            clusters.join(one[alike], others[alike])
            cluster = clusters.of(bucket)


def _look_alike(small: NDArray[np.uint8], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the small copies of pairs of images agree, `[pairs]`."""
    differences = small[one].astype(np.float32) - small[other].astype(np.float32)
    return np.asarray(np.sqrt((differences**2).mean(axis=1)) <= LARGEST_DIFFERENCE)
