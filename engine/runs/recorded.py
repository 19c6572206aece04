"""Comparisons that come with the program, as `python -m engine compare --json` printed them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.files import read_json
from engine.installation import bundled
from engine.predictions import Predictions, read_predictions

ASSETS = bundled("results")
RECORDED = "recorded"  # in place of a comparison's id: the one that came with the program
PREDICTIONS = "predictions"  # folder in it, with a folder for each task and a file for each method
BUDGETS = "budget"  # folder in it, with a file for each task: one comparison for each budget of student images
SEED = 0  # of the runs whose predictions come with the program


def recorded_comparison(task: str, folder: Path = ASSETS) -> dict[str, Any] | None:
    """The recorded comparison of a bundled task, or None if there is none. Raises DamagedFileError."""
    path = folder / f"{task}.json"
    if task not in {file.stem for file in folder.glob("*.json")}:  # a name is never a path
        return None
    document: dict[str, Any] = read_json(path)
    return document


def recorded_budgets(task: str, folder: Path = ASSETS) -> list[dict[str, Any]]:
    """The recorded comparisons of a bundled task with one budget of student images each, the smallest first; none if
    there are none. Raises DamagedFileError.
    """
    known = {path.stem: path for path in (folder / BUDGETS).glob("*.json")}
    if task not in known:
        return []
    return sorted(comparisons_in(read_json(known[task])), key=_images)


def comparisons_in(value: Any) -> list[Any]:
    """The comparisons in the JSON value of a file: several where it is a curve over budgets, else the value itself."""
    if isinstance(value, Mapping) and isinstance(value.get("comparisons"), list):
        return list(value["comparisons"])
    return [value]


def _images(document: Any) -> int:
    shared = document.get("shared") if isinstance(document, Mapping) else None
    images = shared.get("images") if isinstance(shared, Mapping) else None
    return images if isinstance(images, int) else 0


def recorded_predictions(task: str, method: str, folder: Path = ASSETS) -> Predictions | None:
    """What the student of a method's recorded run with seed 0 says of the test images of a bundled task; None if that
    does not come with the program. Raises DamagedFileError.
    """
    known = {path.stem: path for path in (folder / PREDICTIONS).glob("*/*.parquet") if path.parent.name == task}
    return read_predictions(known[method], "install the program again") if method in known else None
