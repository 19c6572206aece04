"""The charts of the report, as SVG: bars with intervals, curves, reliability, accuracy over coverage.

Values are shares 0..1 and are drawn in percent. The winner has the color; the others are told apart by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np

from engine.delivery.report_markup import Html, between, tag
from engine.evaluation import CoverageCurve, ReliabilityBin
from engine.runs import MethodMean
from engine.wording import percent

WIDTH = 420
ROW = 46  # of a method in the bars
DASHES = ("6 4", "2 3", "9 3 2 3", "1 5", "12 4", "4 2 1 2")  # of curves that did not win
LETTERS = 20  # of a name beside a line
FEWEST = 10  # decided images of which the accuracy is drawn; of fewer it jumps up and down


def bars(means: Sequence[MethodMean], by_seed: Mapping[str, Sequence[float]], best: str) -> Html:
    """Accuracy of each method with its interval, a dot for each seed where there are several, and a dashed line where
    the accuracy of its consensus is known.
    """
    parts: list[Html] = []
    for place, mean in enumerate(means):
        top = place * ROW
        shown = f"{percent(mean.accuracy)} ({between(mean.interval.low, mean.interval.high)})"
        middle, low, high = top + 30, WIDTH * mean.interval.low, WIDTH * mean.interval.high
        seeds = by_seed.get(mean.method, ())
        row = [
            _text(0, top + 14, _short(mean.title, 30)),
            _text(WIDTH, top + 14, shown, "end"),
            tag("rect", x=0, y=top + 22, width=_n(WIDTH * mean.accuracy), height=16, class_="bar", rx=2),
            _line(low, middle, high, middle, "whisker"),
            _line(low, middle - 5, low, middle + 5, "whisker"),
            _line(high, middle - 5, high, middle + 5, "whisker"),
        ]
        if len(seeds) > 1:
            row += [tag("circle", cx=_n(WIDTH * value), cy=middle, r=3, class_="dot") for value in seeds]
        if mean.consensus is not None:
            x = WIDTH * mean.consensus.accuracy
            row.append(_line(x, top + 18, x, top + 42, "even"))
        parts.append(tag("g", *row, class_="best" if mean.method == best else None))
    said = "; ".join(f"{mean.title} {percent(mean.accuracy)}" for mean in means)
    return _svg(WIDTH, len(means) * ROW, f"Held-out accuracy: {said}", parts)


def curves(lines: Sequence[tuple[str, str, Sequence[tuple[float, float]]]], best: str) -> Html:
    """Accuracy over student images: (method, title, points) for each method."""
    right, height = WIDTH - 130, 250
    most = max(x for _, _, points in lines for x, _ in points) or 1.0
    values = [y for _, _, points in lines for _, y in points]
    floor = max(0.0, np.floor(10 * min(values)) / 10)
    ceiling = min(1.0, np.ceil(10 * max(values) + 1e-9) / 10)
    frame = _Frame(44, 10, right, height - 40, (0, most), (floor, max(ceiling, floor + 0.1)))
    parts = [*frame.grid_y(), _text(right, height - 8, f"{most:,.0f} student images", "end", "soft")]
    parts.append(_text(44, height - 8, "0", "start", "soft"))
    dashes = cycle(DASHES)
    ends = []
    for method, title, points in lines:
        path = " ".join(f"{_n(frame.x(x))},{_n(frame.y(y))}" for x, y in points)
        first = method == best
        parts.append(
            tag(
                "polyline",
                points=path,
                class_="run best" if first else "run",
                stroke_dasharray=None if first else next(dashes),
            )
        )
        ends.append((frame.y(points[-1][1]), title))
    for y, title in _apart(ends, 15, height - 40):
        parts.append(_text(right + 8, y + 4, _short(title, LETTERS)))
    said = "; ".join(f"{title} ends at {percent(points[-1][1])}" for _, title, points in lines)
    return _svg(WIDTH, height, f"Accuracy over student images: {said}", parts)


def reliability(bins: Sequence[ReliabilityBin]) -> Html:
    """How often right over how sure; on the dashed line it is right as often as it is sure."""
    side = 320
    frame = _Frame(40, 10, side - 12, side - 42, (0, 1), (0, 1))
    parts = [*frame.grid_y(), *frame.ticks_x(), _line(frame.x(0), frame.y(0), frame.x(1), frame.y(1), "even")]
    most = max(found.images for found in bins)
    for found in bins:
        x = frame.x(found.confidence)
        if found.interval:
            parts.append(_line(x, frame.y(found.interval.low), x, frame.y(found.interval.high), "whisker"))
        radius = 3 + 6 * (found.images / most) ** 0.5
        parts.append(tag("circle", cx=_n(x), cy=_n(frame.y(found.accuracy)), r=_n(radius), class_="mass"))
    parts.append(_text((40 + side) / 2, side - 6, "How sure, %", "middle", "soft"))
    said = "; ".join(f"{percent(b.confidence, 0)} sure, {percent(b.accuracy, 0)} right" for b in bins)
    return _svg(side, side, f"How often right over how sure: {said}", parts)


def coverage(curve: CoverageCurve) -> Html:
    """Accuracy on the images that are decided, over the share of these."""
    side = 320
    points = [p for p in curve.points if p.accuracy is not None and p.decided >= min(FEWEST, p.images)]
    lowest = min(p.interval.low if p.interval else p.accuracy or 0.0 for p in points)
    floor = max(0.0, np.floor(10 * lowest) / 10)
    frame = _Frame(40, 10, side - 12, side - 42, (0, 1), (min(floor, 0.9), 1))
    known = [p for p in points if p.interval]
    tops = [(frame.x(p.coverage), frame.y(p.interval.high)) for p in known if p.interval]
    ends = [(frame.x(p.coverage), frame.y(p.interval.low)) for p in known if p.interval]
    parts = [*frame.grid_y(), *frame.ticks_x()]
    if known:
        parts.append(tag("polygon", points=_path([*tops, *ends[::-1]]), class_="band"))
    line = _path([(frame.x(p.coverage), frame.y(p.accuracy or 0.0)) for p in points])
    parts.append(tag("polyline", points=line, class_="run best"))
    parts.append(_text((40 + side) / 2, side - 6, "Images decided, %", "middle", "soft"))
    first = points[0]
    return _svg(side, side, f"Right on {percent(first.accuracy or 0.0)} of all images, more of fewer", parts)


class _Frame:
    """Where values lie on a drawing: between left, top, right and bottom, in its units."""

    def __init__(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        across: tuple[float, float],
        up: tuple[float, float],
    ) -> None:
        self.left, self.top, self.right, self.bottom = left, top, right, bottom
        self.across, self.up = across, up

    def x(self, value: float) -> float:
        """Of a value across."""
        low, high = self.across
        return self.left + (self.right - self.left) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        """Of a value upward."""
        low, high = self.up
        return self.bottom - (self.bottom - self.top) * (value - low) / (high - low)

    def grid_y(self) -> list[Html]:
        """Lines at whole tens of percent, or at every second of them."""
        step = 10 if 100 * (self.up[1] - self.up[0]) <= 60 else 20
        found = []
        for value in range(round(100 * self.up[0]), round(100 * self.up[1]) + 1, step):
            y = self.y(value / 100)
            found += [
                _line(self.left, y, self.right, y, "grid"),
                _text(self.left - 6, y + 4, f"{value}", "end", "soft"),
            ]
        return found

    def ticks_x(self) -> list[Html]:
        """Percent across."""
        return [
            _text(self.x(value / 100), self.bottom + 16, f"{value}", "middle", "soft") for value in range(0, 101, 20)
        ]


def _apart(ends: Sequence[tuple[float, str]], least: float, bottom: float) -> list[tuple[float, str]]:
    """Names at heights that do not overlap, as near to their lines as that allows."""
    found: list[tuple[float, str]] = []
    for y, title in sorted(ends):
        found.append((max(y, found[-1][0] + least) if found else y, title))
    over = max(0.0, found[-1][0] - bottom)
    return [(y - over, title) for y, title in found]


def _svg(width: float, height: float, said: str, parts: Sequence[Html]) -> Html:
    kind = "square" if width == height else None
    box = f"0 0 {_n(width)} {_n(height)}"
    return tag("svg", tag("title", said), *parts, viewBox=box, role="img", class_=kind)


def _text(x: float, y: float, content: str, anchor: str = "start", kind: str | None = None) -> Html:
    return tag("text", content, x=_n(x), y=_n(y), text_anchor=anchor, class_=kind)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    return tag("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), class_=kind)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _short(title: str, letters: int) -> str:
    return title if len(title) <= letters else f"{title[: letters - 1]}…"
