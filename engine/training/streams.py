"""Separate random streams. A step's draws depend on (seed, stream, index) alone, so a resumed run draws the same."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import torch
from torch import Tensor


def stream_seed(seed: int, stream: str, index: int = 0) -> int:
    """A 63-bit seed of one stream at one index."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}/{index}".encode()).digest()[:8]) >> 1


def generator(seed: int, stream: str, index: int = 0) -> torch.Generator:
    """A CPU generator of one stream at one index."""
    return torch.Generator().manual_seed(stream_seed(seed, stream, index))


@lru_cache(maxsize=8)
def _permutation(seed: int, stream: str, size: int, index: int) -> Tensor:
    return torch.randperm(size, generator=generator(seed, stream, index))


def batch_positions(seed: int, stream: str, size: int, batch: int, step: int) -> Tensor:
    """Positions `[batch]` in 0..size-1 that step `step` takes from an endless row of permutations."""
    places = torch.arange(step * batch, (step + 1) * batch)
    rounds, offsets = places // size, places % size
    parts = [
        _permutation(seed, stream, size, int(turn))[offsets[rounds == turn]]
        for turn in torch.unique_consecutive(rounds)
    ]
    return torch.cat(parts)
