"""What comes out of this program, and how long it takes: Start's picture of the way from images to a student."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import streamlit as st

from app.components import images, plots, wording
from app.components.escaping import escape
from engine.methods import REFERENCE, preselected
from engine.runs import MethodMean, recorded_compared, recorded_comparison
from engine.tasks import Draw

EXAMPLE, CALLED = "quickdraw", "doodles"  # whose recorded results are told
SHAPE = "display:block;width:100%;max-height:110px"
PALE = "opacity='.28'"
MARK = f"fill='{images.MARK_COLOR}'"


@dataclass(frozen=True)
class Step:
    """A part of the way: its picture as the inside of an SVG of 240 × 84, what it says to who does not see it, and what
    stands below it.
    """

    drawing: str
    alt: str
    text: str


def draw() -> None:
    """Three steps, beside each other where there is room."""
    for column, step in zip(st.columns(3, gap="medium"), _steps(), strict=True):
        with column.container(border=True, height="stretch"):
            st.html(f'<img alt="{step.alt}" style="{SHAPE}" src="{_picture(step.drawing)}">')
            st.markdown(step.text)


def _picture(drawing: str) -> str:
    """The inside of an SVG as a data URI, in the theme's ink: as a part of the page it would be taken out of it."""
    ink = plots.ink()
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 240 84' width='480' height='168' fill='{ink}' "
        f"color='{ink}' font-size='11' font-family='sans-serif'>{drawing}</svg>"
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _steps() -> tuple[Step, ...]:
    return (
        Step(
            _squares(),
            "Many images, a few of them labeled",
            f"**You bring images.** {Draw.labels_per_class} labeled ones of each class are enough to begin; the "
            "unlabeled ones teach as well.",
        ),
        Step(
            _bars(),
            "Teachers in order, the best first",
            "**You see which networks fit**, and how surely. Of the tasks below at once, of your own images in a "
            "minute or two.",
        ),
        Step(
            _answer(),
            "A student says: sweater, 94\u00a0%",
            f"**You take away one small network**, as ONNX or for timm, and how often it is right. {_example()}",
        ),
    )


def _example() -> str:
    """What came out of a bundled task, and how long that took."""
    document = recorded_comparison(EXAMPLE)
    means = {} if document is None else {mean.method: mean for mean in recorded_compared(document, EXAMPLE).means}
    best, reference = means.get(preselected()[-1]), means.get(REFERENCE.key)
    if best is None or reference is None:
        return ""
    return (
        f"On {CALLED}: {_right(best)} by {escape(best.title)}, {_right(reference)} by fine-tuning, each in about "
        f"{wording.duration(round(max(best.seconds, reference.seconds), -1))} on one processor core."
    )


def _right(mean: MethodMean) -> str:
    return wording.percent(mean.accuracy, 0)


def _squares() -> str:
    """Images, every sixth of which is labeled."""
    drawn = []
    for place in range(30):
        x, y, labeled = 3 + 24 * (place % 10), 3 + 27 * (place // 10), place % 6 == 1
        drawn.append(f"<rect x='{x}' y='{y}' width='19' height='22' rx='3' {MARK if labeled else PALE}/>")
        if labeled:
            tick = f"M{x + 5} {y + 11} l4 4 l6 -8"
            drawn.append(f"<path d='{tick}' fill='none' stroke='#fff' stroke-width='2'/>")
    return "".join(drawn)


def _bars() -> str:
    """Teachers and how similar they are."""
    drawn = []
    for place, width in enumerate((170, 152, 118, 84, 52)):
        y = 3 + 16 * place
        drawn.append(f"<text x='0' y='{y + 10}'>{place + 1}.</text>")
        drawn.append(f"<rect x='18' y='{y}' width='{width}' height='12' rx='2' {MARK if place < 2 else PALE}/>")
    return "".join(drawn)


def _answer() -> str:
    """An image, the student, and what it says."""
    return (
        f"<rect x='2' y='14' width='54' height='56' rx='4' {PALE}/>"
        "<path d='M13 30 l10 -6 h12 l10 6 -5 9 -5 -3 v22 h-12 v-22 l-5 3z' fill='none' stroke='currentColor' "
        "stroke-width='2'/>"
        "<path d='M64 42 h14 m-5 -4 l5 4 -5 4' fill='none' stroke='currentColor' stroke-width='2'/>"
        f"<circle cx='102' cy='42' r='17' {MARK}/>"
        "<path d='M126 42 h14 m-5 -4 l5 4 -5 4' fill='none' stroke='currentColor' stroke-width='2'/>"
        f"<text x='148' y='24'>sweater</text><rect x='148' y='28' width='80' height='9' rx='2' {MARK}/>"
        f"<text x='148' y='54'>jacket</text><rect x='148' y='58' width='6' height='9' rx='2' {PALE}/>"
        "<text x='210' y='24'>94\u00a0%</text><text x='210' y='54'>4\u00a0%</text>"
    )
