"""Images that are the same, or look the same: exact copies by checksum, near ones by perceptual hash.

The hash is pHash of 64 bits (imagehash): the signs of an image's low frequencies. Two images are near duplicates if
their hashes differ in few bits and small color copies of them agree; either alone finds too much among simple drawings.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

# Ours, from the bundled tasks: of images that were resized to 60 % and saved as JPEG, 19 of 20 stay within both, while
# no two of 1,200 images of Fashion-MNIST, whose kinds look much alike, come as close.
LARGEST_DISTANCE = 6  # bits of 64
LARGEST_DIFFERENCE = 6.0  # root mean square over an 8 × 8 copy, of 255
# One band more than the distance, so that one of them must be equal.
_BANDS = ((0, 9), (9, 18), (18, 27), (27, 36), (36, 45), (45, 54), (54, 64))
_LONGEST_BUCKET = 8000  # hashes; a longer bucket holds blank images and the like, and is compared in neighbors only
FLAT = 2.0  # standard deviation of the small copy, of 255, below which an image shows nothing


def exact_clusters(checksums: Sequence[str]) -> NDArray[np.int64]:
    """For each image, the first image with the same content, `[images]`; itself if it is the first."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(checksum, row) for row, checksum in enumerate(checksums)], dtype=np.int64)


def near_clusters(hashes: NDArray[np.uint64], small: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each image, the first image of those that look like it, directly or through others, `[images]`.

    hashes `[images]`, small `[images, 192]` (8 × 8 RGB). Images that show nothing look like no other one.
    """
    count = len(hashes)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    copies = small.astype(np.float32)
    rows = np.flatnonzero(copies.std(axis=1) >= FLAT)
    left, right = [np.arange(0)], [np.arange(0)]
    for a, b in _candidates(hashes[rows]):
        a, b = rows[a], rows[b]
        close = np.bitwise_count(hashes[a] ^ hashes[b]) <= LARGEST_DISTANCE
        a, b = a[close], b[close]
        alike = np.sqrt(((copies[a] - copies[b]) ** 2).mean(axis=1)) <= LARGEST_DIFFERENCE
        left.append(a[alike])
        right.append(b[alike])
    a, b = np.concatenate(left), np.concatenate(right)
    from scipy.sparse import coo_matrix  # who only finds and reads images need not wait for it
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    first = np.full(component.max() + 1, count, dtype=np.int64)
    np.minimum.at(first, component, np.arange(count))
    return np.asarray(first[component])


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs that agree in one band, in portions: every pair within the distance, but for very long buckets."""
    for low, high in _BANDS:
        keys = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1], True])
        for start, stop in itertools.pairwise(starts):
            bucket = order[start:stop]
            if len(bucket) < 2:
                continue
            if len(bucket) > _LONGEST_BUCKET:
                bucket = bucket[np.argsort(hashes[bucket], kind="stable")]
                yield bucket[:-1], bucket[1:]
                continue
            for i in range(0, len(bucket) - 1, 256):  # portions of 256 rows of the triangle
                a, b = np.triu_indices(min(256, len(bucket) - i), k=1, m=len(bucket) - i)
                yield bucket[i + a], bucket[i + b]
