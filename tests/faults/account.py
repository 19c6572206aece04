"""What one part of `make faults` found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Account:
    """figures: what to print, by what it counts. wrong: a sentence for each thing that may not be. left_out: why
    something could not be tried here, None if all of it was.
    """

    figures: Mapping[str, Any]
    wrong: tuple[str, ...] = field(default=())
    left_out: str | None = None

    def lines(self) -> Iterable[str]:
        """As text."""
        for name, value in self.figures.items():
            yield f"  {name}: {_shown(value)}"
        if self.left_out:
            yield f"  NOT TRIED: {self.left_out}"
        for sentence in self.wrong:
            yield f"  WRONG: {sentence}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items())) or "none"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
