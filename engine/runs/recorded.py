"""Comparisons that come with the program, as `python -m engine compare --json` printed them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.files import read_json
from engine.installation import bundled

ASSETS = bundled("results")


def recorded_comparison(task: str, folder: Path = ASSETS) -> dict[str, Any] | None:
    """The recorded comparison of a bundled task, or None if there is none. Raises DamagedFileError."""
    path = folder / f"{task}.json"
    if task not in {file.stem for file in folder.glob("*.json")}:  # a name is never a path
        return None
    document: dict[str, Any] = read_json(path)
    return document
