"""Which device computes: cuda, mps or cpu, what is there, and how it is set up to be quick and repeatable."""

from __future__ import annotations

import os
import platform

import torch

from engine.errors import InvalidInputError, UnavailableError

DEVICES = ("cuda", "mps", "cpu")


def available() -> list[str]:
    """Devices of this machine, the fastest first; "cpu" is always among them."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def resolve(name: str | None) -> str:
    """The device called `name`, or the fastest one for None or "auto".

    Raises InvalidInputError for a name that is no device, UnavailableError for a device this machine lacks.
    """
    if name in (None, "", "auto"):
        return available()[0]
    if name not in DEVICES:
        raise InvalidInputError(f"{name!r} is no device: choose one of auto, {', '.join(DEVICES)}.")
    if name not in available():
        raise UnavailableError(f"This machine has no {name} device: choose one of {', '.join(available())}.")
    return str(name)


def describe(name: str) -> str:
    """A device in words, such as "NVIDIA H200" or "CPU, 2 threads (x86_64)"."""
    if name == "cuda":
        return torch.cuda.get_device_name()
    if name == "mps":
        return f"Apple GPU ({platform.machine()})"
    threads = torch.get_num_threads()
    return f"CPU, {threads} {'thread' if threads == 1 else 'threads'} ({platform.machine()})"


def set_up(name: str, threads: int | None = None) -> torch.device:
    """Prepare this process to compute on `name`: repeatable kernels, no denormal numbers, `threads` CPU threads."""
    torch.set_flush_denormal(True)
    if threads:
        torch.set_num_threads(threads)
    if name == "cuda":
        # cuBLAS needs a fixed workspace to give the same sums twice.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
    # As use_deterministic_algorithms(True, warn_only=True), which loads the compiler to tell it so too: 2 s, 200 MB.
    torch.set_deterministic_debug_mode("warn")
    # Otherwise every new tensor is first filled with NaN, a tenth of a step's time; nothing here reads a fresh tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # not in its stubs
    return torch.device(name)
