"""The cards of this machine, with their free memory, as the driver's own tool lists them.

PyTorch would have to open a card to say how much memory is free on it, and then hold hundreds of megabytes of each as
long as the process lives: an app that only shows cards must not. So nvidia-smi is asked, which comes with the driver.
"""

from __future__ import annotations

import csv
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache

import torch

VISIBLE = "CUDA_VISIBLE_DEVICES"  # CUDA's own list of the cards that a process may see
WORKS_ON = "WORKBENCH_CARD"  # the name, such as "cuda:1", of the one card that a worker sees
AMONG = "WORKBENCH_CARDS"  # how many cards there are, of which that is one
NODE, NODES = "WORKBENCH_NODE", "WORKBENCH_NODES"  # of a worker on a cluster: its number, from 0, of how many
ORDER = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # nvidia-smi's numbers; CUDA would begin with the fastest card
FRESH = 5.0  # s that a look at the free memory serves
PATIENCE = 10.0  # s for an answer of nvidia-smi; on an idle machine the driver may first have to wake
SILENCE = 300.0  # s that it is not asked again after it gave none: a page must not wait at every look
_ASKED = "index,uuid,name,memory.total,memory.free"
_MEBIBYTE = 2**20

os.environ.setdefault(*ORDER)  # here: before PyTorch first looks, and before an environment is handed to a worker


@dataclass(frozen=True)
class GraphicsCard:
    """A card that this process may see.

    index: its place among those, from 0; as a device it is called "cuda:<index>". known_as: what CUDA_VISIBLE_DEVICES
    calls it. total, free: bytes of its memory; None where the driver does not say.
    """

    index: int
    name: str
    known_as: str
    total: int | None = None
    free: int | None = None


def cards() -> list[GraphicsCard]:
    """The cards that this process may see, in the order of their numbers; their free memory is at most 5 s old."""
    if not torch.cuda.is_available():
        return []
    there, named = listed(int(time.monotonic() / FRESH)), os.environ.get(VISIBLE)
    found = _visible(there, named)
    count = torch.cuda.device_count()
    return found if len(found) == count else _unlisted(count, named)


def environment_of(lane: str) -> dict[str, str]:
    """What the environment of a worker of a card's lane, such as "cuda:1", has on top: it sees that card alone, so that
    "cuda" is that card there. Nothing for any other lane, or for a card that is not there.
    """
    there = cards()
    found = next((card for card in there if lane == f"cuda:{card.index}"), None)
    if found is None:
        return {}
    return {VISIBLE: found.known_as, WORKS_ON: lane, AMONG: str(len(there))}


def node_environment(number: int, among: int) -> dict[str, str]:
    """What the environment of a worker on a cluster has on top: which one it is, of how many at a time."""
    return {NODE: str(number % among), NODES: str(among)}


def place_among_workers(environment: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Of a worker beside others, in the lane of a card or on a cluster: its number, from 0, and how many there may be.
    Of others: 0 and 1.
    """
    card = environment.get(WORKS_ON, "").partition(":")[2]
    for number, among in (environment.get(NODE, ""), environment.get(NODES, "")), (card, environment.get(AMONG, "")):
        if number.isdecimal() and among.isdecimal() and int(number) < int(among):
            return int(number), int(among)
    return 0, 1


@cache
def roomiest() -> int:
    """The number of the card with the most free memory when this process first asked; 0 where nobody knows."""
    found = cards()
    return max(found, key=lambda card: card.free or 0).index if found else 0


class _Silence:
    """Until when nvidia-smi is not asked, in s of the monotonic clock: a driver that hangs goes on hanging."""

    until = 0.0


@lru_cache(maxsize=1)
def listed(moment: int) -> Sequence[GraphicsCard]:
    """All cards of the machine as nvidia-smi lists them; empty if it is not there. moment: asked once for each."""
    if time.monotonic() < _Silence.until:
        return ()
    command = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    except subprocess.TimeoutExpired:
        _Silence.until = time.monotonic() + SILENCE
        return ()
    except (OSError, subprocess.SubprocessError):  # no such tool, or one that lists nothing: PyTorch counts
        return ()
    return cards_in(said)


def cards_in(said: str) -> Sequence[GraphicsCard]:
    """The cards in what nvidia-smi said, a line each: number, UUID, name, MiB of memory, MiB that are free."""
    rows = [row for row in csv.reader(said.splitlines(), skipinitialspace=True) if len(row) == 5]
    return [
        GraphicsCard(int(index), name, uuid, _bytes(total), _bytes(free))
        for index, uuid, name, total, free in rows
        if index.isdecimal()
    ]


def _visible(there: Sequence[GraphicsCard], named: str | None) -> list[GraphicsCard]:
    """Those of all cards that CUDA_VISIBLE_DEVICES leaves, numbered as CUDA numbers them."""
    if named is None:
        return list(there)
    chosen = []
    for token in (part.strip() for part in named.split(",")):
        is_number = token.isdecimal()
        found = [c for c in there if (c.index == int(token) if is_number else token and c.known_as.startswith(token))]
        if len(found) != 1:  # as CUDA does: the first that is no card ends the list
            break
        chosen.append(found[0])
    return [GraphicsCard(i, card.name, card.known_as, card.total, card.free) for i, card in enumerate(chosen)]


def _unlisted(count: int, named: str | None) -> list[GraphicsCard]:
    """As many cards as PyTorch counts, for what nvidia-smi does not list: slices of a card, cards of another maker."""
    known_as = [part.strip() for part in named.split(",")] if named else []
    known_as += [str(i) for i in range(len(known_as), count)]
    return [GraphicsCard(i, torch.cuda.get_device_name(i), known_as[i]) for i in range(count)]


def _bytes(mebibytes: str) -> int | None:
    with suppress(ValueError):  # "[N/A]" of a card that shares the machine's memory
        return int(mebibytes) * _MEBIBYTE
    return None
