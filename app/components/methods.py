"""How each method looks: one color, one dash, one marker and one icon, here and nowhere else.

No chart tells methods apart by color alone: a line has its dash and its marker as well, a bar its name beside it.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace

from engine.errors import WorkbenchError
from engine.methods import METHODS, get_method


@dataclass(frozen=True)
class MethodStyle:
    """color: hexadecimal, at least 3:1 against both themes. dash, symbol: Plotly's names."""

    color: str
    dash: str
    symbol: str


_STYLES = {
    "fine-tune": MethodStyle("#7b8794", "dot", "circle"),
    "linear-probe": MethodStyle("#a1793a", "longdash", "square-open"),
    "fixmatch": MethodStyle("#d1691f", "dash", "square"),
    "distill-nearest": MethodStyle("#16907f", "dashdot", "triangle-up"),
    "distill-weighted": MethodStyle("#3f6fd8", "solid", "diamond"),
    "distill-equal": MethodStyle("#8d5fcb", "longdashdot", "cross"),
    "distill-random": MethodStyle("#c2527a", "5px,2px,1px,2px", "x"),
    "distill-consensus": MethodStyle("#3b8f2a", "10px,2px", "star"),
}
FURTHER = (  # of methods that have no line above, in the order of the list
    MethodStyle("#b5483c", "3px,3px", "pentagon"),
    MethodStyle("#2f86a6", "12px,3px,3px,3px", "hexagon"),
    MethodStyle("#7f7f1f", "6px,2px,6px,6px", "triangle-down"),
    MethodStyle("#a05fae", "1px,4px", "bowtie"),
)
_UNKNOWN = MethodStyle("#7b8794", "solid", "circle-open")  # a recorded method that this version does not have

# DistillWeighted with another p than the default: the same line with another marker, by how strongly p selects.
_OTHER_P = ((2.0, "#7b86e6", "diamond-open"), (8.0, "#5c86df", "diamond-wide"), (math.inf, "#4a63d4", "diamond-tall"))
# Of a method with other settings: its color, an open marker, and one of these, the same for a key at all times.
VARIANT_DASHES = ("2px,5px", "8px,5px", "16px,5px", "5px,9px", "16px,3px,2px,3px,2px,3px")


def style_of(method: str) -> MethodStyle:
    """How the method with this key is drawn; every key has a look, also one that this version does not know."""
    if method in _STYLES:
        return _STYLES[method]
    if method in METHODS:
        return FURTHER[[key for key in METHODS if key not in _STYLES].index(method) % len(FURTHER)]
    try:
        found = get_method(method)
    except WorkbenchError:
        return _UNKNOWN
    base = METHODS[method.partition("(")[0]]
    style = style_of(base.key)
    if base.by_hand and found.p is not None and found.p != base.p:
        color, symbol = next((color, symbol) for most, color, symbol in _OTHER_P if found.p <= most)
        style = replace(style, color=color, symbol=symbol)
        if not found.changed:
            return style
    dash = VARIANT_DASHES[zlib.crc32(found.key.encode()) % len(VARIANT_DASHES)]
    return replace(style, dash=dash, symbol=f"{style.symbol.removesuffix('-open')}-open")


def title(method: str) -> str:
    """The method's name on screen; an unknown key stands for itself."""
    try:
        return get_method(method).title
    except WorkbenchError:
        return method
