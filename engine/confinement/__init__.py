"""Processes for a user's bytes: whatever those do to a parser, the program goes on, and so does the machine.

`Confined` starts one and asks it; `serve` is what runs in it. `protections` says what the system at hand denies them.
"""

from engine.confinement.lockdown import as_json
from engine.confinement.process import (
    NONSENSE,
    Answer,
    Confined,
    DiedError,
    TookTooLongError,
    libraries,
    protections,
    serve,
)

__all__ = [
    "NONSENSE",
    "Answer",
    "Confined",
    "DiedError",
    "TookTooLongError",
    "as_json",
    "libraries",
    "protections",
    "serve",
]
