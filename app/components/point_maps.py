"""One or two live maps of a task's images: each image a point, 100,000 of them fluid, with their pictures on demand.

It answers in the browser: moving, hovering, picking and the grid of pictures need no run of the page. What is picked
comes back here. Both maps show the same images, so what is hovered or picked in one shows in the other.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import thumbnails
from app.components.colors import GRAY
from engine.tasks import Task

UNKNOWN = "class not known"
ENTRIES = 20  # of a legend; more cannot be distinguished by color anyway
NAMED = 5_000  # images whose names are sent along; of more, the row serves
LARGEST = 65_535  # of a coordinate, as it is sent
LABELED = 4  # the bit of a labeled image; the lower two are its mark


@dataclass(frozen=True)
class LiveMap:
    """One map. coordinates: `[n, 2]`. codes: `[n]` into `names` and `colors`, -1 for gray, which says `gray`. ramp:
    whether names are the ends of a scale, and colors its steps. place: what it is a map of, so that the view stays when
    only colors change.
    """

    place: str
    title: str
    line: str
    alt: str
    coordinates: NDArray[np.float32]
    codes: NDArray[np.int64]
    names: tuple[str, ...]
    colors: tuple[str, ...]
    gray: str = ""
    ramp: bool = False


@dataclass(frozen=True)
class MapPoints:
    """What the maps show. rows: `[n]` of the image table. marks: `[n]`, 0 a dot, 1 a diamond, 2 a cross. labeled:
    `[n]`, whether a method sees its label.
    """

    task: Task
    rows: NDArray[np.int64]
    marks: NDArray[np.int64]
    labeled: NDArray[np.bool_]


@dataclass(frozen=True)
class Touched:
    """What the user did. rows: of the picked images, sorted; None where nothing was picked since `stamp`. like: the row
    of the image of which more are asked for.
    """

    rows: tuple[int, ...] | None
    like: int | None


def draw(
    points: MapPoints,
    maps: Sequence[LiveMap],
    *,
    key: str,
    picked: Sequence[int],
    stamp: int,
    like: str = "",
) -> Touched:
    """The maps. picked: rows that the page has picked itself, in the order in which the grid shows them; they count
    from a new `stamp` on, until the user picks others. like: what the button for more of the same does; "" for none.
    """
    data = _payload(points, maps) | {
        "name": key,
        "stamp": stamp,
        "selected": _packed(np.array(picked), np.int32),
        "order": [int(row) for row in picked],
        "like": like,
    }
    result = _COMPONENT(data=data, key=key, on_picked_change=_nothing, on_like_change=_nothing)
    return Touched(_rows_of(result.picked, stamp, points), None if result.like is None else int(result.like))


def write_words(key: str, said: Mapping[int, Sequence[str]]) -> None:
    """Write lines below the pictures of the grid of the map `key`, by row."""
    data = {"name": key, "said": {str(row): list(lines) for row, lines in said.items()}}
    _WORDS(data=data, key=f"{key} words")


def _payload(points: MapPoints, maps: Sequence[LiveMap]) -> dict[str, Any]:
    ids = points.task.images.image_ids
    flags = points.marks + LABELED * points.labeled
    data: dict[str, Any] = {
        "pictures": thumbnails.address_of(points.task),
        "rows": _packed(points.rows, np.int32),
        "flags": _packed(flags, np.uint8),
        "labels": _packed(points.task.labels[points.rows], np.int16),
        "classes": list(points.task.classes),
        "unknown": UNKNOWN,
        "entries": ENTRIES,
        "ids": [ids[row] for row in points.rows.tolist()] if len(points.rows) <= NAMED else [],
        "maps": [_one(each) for each in maps],
    }
    content = hashlib.blake2b(digest_size=12)
    for part in (data["pictures"], data["rows"], data["flags"], data["labels"], str(data["maps"])):
        content.update(part.encode())
    return data | {"version": content.hexdigest()}


def _one(each: LiveMap) -> dict[str, Any]:
    low = each.coordinates.min(axis=0)
    extent = float((each.coordinates.max(axis=0) - low).max()) or 1.0  # one scale for both: their unit is the same
    sent = (LARGEST * (each.coordinates - low) / extent).round()
    return {
        "place": each.place,
        "title": each.title,
        "line": each.line,
        "alt": each.alt,
        "xy": _packed(sent, np.uint16),
        "codes": _packed(each.codes, np.int16),
        "names": list(each.names),
        "colors": list(each.colors),
        "gray": each.gray if (each.codes < 0).any() else "",
        "grayColor": GRAY,
        "ramp": each.ramp,
    }


def _packed(values: NDArray[Any], kind: type[np.generic]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _rows_of(said: object, stamp: int, points: MapPoints) -> tuple[int, ...] | None:
    """The rows that the browser names, as far as they are on the map; nothing that it says is trusted."""
    if not isinstance(said, Mapping) or said.get("stamp") != stamp:
        return None
    try:
        content = base64.b64decode(str(said.get("rows")), validate=True)
        rows = np.frombuffer(content, dtype=np.int32).astype(np.int64)
    except ValueError:
        return None
    return tuple(np.intersect1d(rows, points.rows).tolist())


def _nothing() -> None:
    """A change needs no more than the rerun that it brings."""


_HTML = """
<div class="root">
  <div class="bar" role="toolbar" aria-label="Tools of the map">
    <button type="button" data-tool="move" aria-pressed="true">Move</button>
    <button type="button" data-tool="lasso" aria-pressed="false">Lasso</button>
    <button type="button" class="closer" aria-label="Zoom in">+</button>
    <button type="button" class="farther" aria-label="Zoom out">\u2212</button>
    <button type="button" class="whole">Whole map</button>
    <button type="button" class="clear" disabled>Clear</button>
    <details class="hint"><summary>Keys</summary>Arrows go from image to image, with Shift they move the map; + and
      \u2212 zoom, 0 shows all; Enter picks, N picks the 20 nearest on the map, Escape clears. The wheel zooms a map
      that was clicked. Shift adds to what is picked.</details>
  </div>
  <div class="body"><div class="maps"></div><section class="picked" aria-label="Picked images"></section></div>
  <div class="tip" hidden><img alt=""><span dir="auto"></span></div>
  <div class="live" aria-live="polite"></div>
</div>
"""

_WORDS_JS = """
export default function ({ data }) {
  if (!data) return
  globalThis.workbenchWords = { ...(globalThis.workbenchWords ?? {}), [data.name]: data.said }
  document.dispatchEvent(new CustomEvent("workbench-words", { detail: data.name }))
}
"""

_FILES = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "point maps",
    html=_HTML,
    css=(_FILES / "point_maps.css").read_text(encoding="utf-8"),
    js=(_FILES / "point_maps.js").read_text(encoding="utf-8"),
)
_WORDS = st.components.v2.component("point words", html="<span></span>", js=_WORDS_JS)
