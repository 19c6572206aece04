"""Comparisons that come with the program, as `python -m engine compare --json` printed them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.files import read_json
from engine.installation import bundled
from engine.predictions import Predictions, read_predictions

ASSETS = bundled("results")
RECORDED = "recorded"  # in place of a comparison's id: the one that came with the program
PREDICTIONS = "predictions"  # folder in it, with a folder for each task and a file for each method
SEED = 0  # of the runs whose predictions come with the program


def recorded_comparison(task: str, folder: Path = ASSETS) -> dict[str, Any] | None:
    """The recorded comparison of a bundled task, or None if there is none. Raises DamagedFileError."""
    path = folder / f"{task}.json"
    if task not in {file.stem for file in folder.glob("*.json")}:  # a name is never a path
        return None
    document: dict[str, Any] = read_json(path)
    return document


def recorded_predictions(task: str, method: str, folder: Path = ASSETS) -> Predictions | None:
    """What the student of a method's recorded run with seed 0 says of the test images of a bundled task; None if that
    does not come with the program. Raises DamagedFileError.
    """
    known = {path.stem: path for path in (folder / PREDICTIONS).glob("*/*.parquet") if path.parent.name == task}
    return read_predictions(known[method], "install the program again") if method in known else None
