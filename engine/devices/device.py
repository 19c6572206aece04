"""A device by its name: what is there, what it is, and how it is set up to be quick and repeatable."""

from __future__ import annotations

import os
import platform
import re

import torch

from engine.devices.listing import WORKS_ON, GraphicsCard, cards, roomiest
from engine.errors import InvalidInputError, UnavailableError

DEVICES = ("cuda", "mps", "cpu")
_NAME = re.compile(r"cuda(:\d{1,4})?|mps|cpu")
_GIBIBYTE = 2**30


def available() -> list[str]:
    """Devices of this machine, the fastest first; "cpu" is always among them.

    "cuda" is any card; where there are several, each has a name of its own as well, "cuda:0" to "cuda:n".
    """
    there = cards()
    found = ["cuda"] if there else []
    if len(there) > 1:
        found += [f"cuda:{card.index}" for card in there]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def count(name: str) -> int:
    """How many may compute at a time on a device: one job, or on "cuda" one on each card."""
    return max(1, len(cards())) if name == "cuda" else 1


def kind(name: str) -> str:
    """What a device is, whichever one of its kind: "cuda", "mps" or "cpu"."""
    return name.partition(":")[0]


def is_here(name: str) -> bool:
    """Whether this machine has the device called `name`; its only card is "cuda" and "cuda:0"."""
    there = available()
    return name in there or (name == "cuda:0" and "cuda" in there)


def resolve(name: str | None) -> str:
    """The device called `name`, or the fastest one for None or "auto".

    Raises InvalidInputError for a name that is no device, UnavailableError for a device this machine lacks.
    """
    there = available()
    if name in (None, "", "auto"):
        return there[0]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"{name!r} is no device: choose one of auto, {', '.join(DEVICES)}, or cuda:1 for a card."
        )
    if not is_here(name):
        raise UnavailableError(f"This machine has no {name} device: choose one of {', '.join(map(_choice, there))}.")
    return name if name in there else "cuda"


def describe(name: str) -> str:
    """A device in words, such as "NVIDIA H200" or "CPU, 2 threads (x86_64)"; of any card, those of the first."""
    if kind(name) == "cuda":
        return _card(name).name
    if name == "mps":
        return f"Apple GPU ({platform.machine()})"
    threads = torch.get_num_threads()
    return f"CPU, {threads} {'thread' if threads == 1 else 'threads'} ({platform.machine()})"


def label(name: str) -> str:
    """A device as it is offered: a card with its free memory, such as "Card 1: NVIDIA H200, 120 of 141 GB free"."""
    if kind(name) != "cuda":
        return describe(name)
    several = len(cards()) > 1
    if name == "cuda" and several:
        return "Any free card"
    card = _card(name)
    return f"Card {card.index}: {_with_room(card)}" if several else _with_room(card)


def set_up(name: str, threads: int | None = None, *, repeatable: bool = True) -> torch.device:
    """Prepare this process to compute on `name`: no denormal numbers, `threads` CPU threads, and on a card kernels that
    give the same numbers twice, unless it need not be repeatable.

    In a process that sees several cards, "cuda" is the one with the most free memory when it was first asked for.
    """
    torch.set_flush_denormal(True)
    if threads:
        torch.set_num_threads(threads)
    on_a_card = kind(name) == "cuda"
    repeatable = repeatable or not on_a_card
    if on_a_card:
        if repeatable:
            # cuBLAS needs a fixed workspace to give the same sums twice.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = not repeatable
    # As use_deterministic_algorithms(True, warn_only=True), which loads the compiler to tell it so too: 2 s, 200 MB.
    torch.set_deterministic_debug_mode("warn" if repeatable else "default")
    # Otherwise every new tensor is first filled with NaN, a tenth of a step's time; nothing here reads a fresh tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # not in its stubs
    if not on_a_card:
        return torch.device(name)
    torch.cuda.set_device(_number(name))
    return torch.device("cuda", _number(name))


def _number(name: str) -> int:
    """The number of a card in this process. A worker sees the one that its job named, or was given, as its first."""
    if os.environ.get(WORKS_ON):
        return 0
    return int(name.partition(":")[2]) if ":" in name else roomiest()


def _card(name: str) -> GraphicsCard:
    """Raises UnavailableError for a card that is not there."""
    number = 0 if os.environ.get(WORKS_ON) or ":" not in name else int(name.partition(":")[2])
    found = next((card for card in cards() if card.index == number), None)
    if found is None:
        raise UnavailableError(f"This machine has no {name} device: choose one of {', '.join(available())}.")
    return found


def _choice(name: str) -> str:
    """A device as an error offers it."""
    if kind(name) != "cuda":
        return name
    several = len(cards()) > 1
    return f"{name} ({'any free card' if name == 'cuda' and several else _with_room(_card(name))})"


def _with_room(card: GraphicsCard) -> str:
    if card.free is None or not card.total:
        return card.name
    return f"{card.name}, {_gb(card.free)} of {_gb(card.total)} GB free"


def _gb(size: int) -> str:
    return f"{size / _GIBIBYTE:.0f}"
