"""Import: how images with more than 8 bits become 8, each way on the same real images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st

from app import cached, state
from app.components import images, wording
from app.components.escaping import escape
from app.views.importing import brought
from engine.errors import WorkbenchError
from engine.images import WHOLE_RANGE, WITHOUT_EXTREMES, Reading, Values
from engine.intake import ImportRequest, Preview, Sample

COMPARED = 6  # images in each way
WINDOWS = {  # center and width in Hounsfield units, as CT is usually read
    "Soft tissue": (40.0, 400.0),
    "Lung": (-600.0, 1500.0),
    "Bone": (400.0, 1800.0),
    "Brain": (40.0, 80.0),
}
PAIRS = {"range": ("Black", "White"), "window": ("Center", "Width")}  # what the two numbers of a way are called
NARROW = 0.25  # of an image's range: 99 % of its pixels in less than that leave it dark, or flat
SMALL_RANGE = 20.0  # so few values are no counts: the steps between them are finer than 1
HOUNSFIELD = -500.0  # values so low are of air: the numbers are Hounsfield units


@dataclass(frozen=True)
class Way:
    """One way to read more than 8 bits."""

    key: str
    title: str
    meaning: str
    reading: Reading


def draw(source: ImportRequest, wanted: ImportRequest, found: Preview) -> None:
    """The ways side by side, the one in use marked; nothing where all images have 8 bits."""
    deep = [sample for sample in found.samples if sample.values is not None]
    if not deep:
        return
    values = [sample.values for sample in deep if sample.values is not None]
    low, high = min(v.low for v in values), max(v.high for v in values)
    kinds = " and ".join(dict.fromkeys(v.kind for v in values))
    st.subheader("More than 8 bits", anchor=False)
    advised = "extremes" if _mostly_extremes(values) else ""
    st.caption(
        f"The images shown are {kinds} with values from {_number(low)} to {_number(high)}; networks see "
        "256 shades. Choose what becomes black and what white."
        + (" In most of them a few extreme pixels take up most of the range." if advised else "")
    )
    ways = _ways(source, found.reading, values)
    in_use = _in_use(found.reading, [way.key for way in ways])
    try:
        with st.spinner("Reading some images in each way"):
            shown = cached.read_in_ways(
                wanted,
                brought.since(),
                tuple(sample.name for sample in _some(deep)),
                tuple(way.reading for way in ways),
            )
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    with st.grid(min(4, len(ways)), min_column_width=230):
        for way, samples in zip(ways, shown, strict=True):
            with st.container(border=True, height="stretch"):
                _card(source, way, samples, chosen=way.key == in_use, advised=way.key == advised)
    for way in ways:
        if way.key == in_use and way.key in PAIRS:
            _pair(source, way, values)


def _some(samples: list[Sample]) -> list[Sample]:
    """A few, from all over the source."""
    count = min(COMPARED, len(samples))
    return [samples[place * len(samples) // count] for place in range(count)]


def _card(source: ImportRequest, way: Way, samples: tuple[Sample, ...], *, chosen: bool, advised: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{way.title}**", width="content")
        if advised:
            st.badge("Advised", color="gray")
    st.caption(way.meaning)
    images.pictures(
        [
            images.Picture(sample.image, f"{sample.name}, {way.title.lower()}", sample.label or "")
            for sample in samples
            if sample.image is not None
        ],
        size=76,
    )
    st.space("stretch")
    title, icon = ("In use", ":material/check:") if chosen else ("Use this", None)
    if st.button(title, key=f"import way {way.key}", icon=icon, disabled=chosen):
        brought.choices(source).reading = way.reading
        st.rerun()


def _ways(source: ImportRequest, now: Reading, values: list[Values]) -> list[Way]:
    """The ways that make sense for these images, the usual one first."""
    plain = Reading(channels=now.channels)
    dicom = [value for value in values if value.kind == "DICOM"]
    windows = any(value.window or value.table for value in dicom)
    whole = (
        "Each image's own range",
        "Its lowest value is black, its highest white. A single hot pixel or bit of metal darkens all the rest.",
    )
    ways = []
    if windows:
        meaning = "As whoever recorded it meant it to be seen. A file without a window or table gets its own range."
        ways.append(Way("usual", "Each file's own window", meaning, plain))
        ways.append(Way("whole", *whole, replace(plain, percentiles=WHOLE_RANGE)))
    else:
        ways.append(Way("usual", *whole, plain))
    low, high = WITHOUT_EXTREMES
    cut = f"Each image from its {low:g} to its {high:g} percentile: a few extreme pixels do not count."
    ways.append(Way("extremes", "Own range without extremes", cut, replace(plain, percentiles=WITHOUT_EXTREMES)))
    same = "A value is equally bright in all images: right where brightness itself tells classes apart."
    if dicom:
        chosen = brought.choices(source).window or now.window or _first_window(dicom)
        ways.append(Way("window", "One window for all", same, replace(plain, window=chosen)))
    if len(dicom) < len(values):
        chosen = brought.choices(source).range or now.value_range or _first_range(values)
        ways.append(Way("range", "One range for all", same, replace(plain, value_range=chosen)))
    return ways


def _in_use(reading: Reading, offered: list[str]) -> str:
    """Key of the way that a reading is; "" for one that is not offered."""
    if reading.value_range is not None:
        return "range"
    if reading.window is not None:
        return "window"
    if reading.percentiles == WITHOUT_EXTREMES:
        return "extremes"
    if reading.percentiles is None or (reading.percentiles == WHOLE_RANGE and "whole" not in offered):
        return "usual"
    return "whole" if reading.percentiles == WHOLE_RANGE else ""


def _mostly_extremes(values: list[Values]) -> bool:
    """Whether in most images the inner values lie in so small a part of the range that the rest is for a few pixels."""
    narrow = [v.inner[0] < v.inner[1] and v.inner[1] - v.inner[0] < NARROW * (v.high - v.low) for v in values]
    usual = [value.window is None and not value.table for value in values]
    return 2 * sum(a and b for a, b in zip(narrow, usual, strict=True)) > len(values)


def _first_range(values: list[Values]) -> tuple[float, float]:
    """A range to begin with: what the images shown hold, but for their extremes."""
    low, high = min(v.inner[0] for v in values), max(v.inner[1] for v in values)
    return (low, high) if low < high else (low, low + 1)


def _first_window(values: list[Values]) -> tuple[float, float]:
    """A window to begin with: the one that most files name, or else one that suits their values."""
    named = Counter(value.window for value in values if value.window)
    if named:
        return named.most_common(1)[0][0]
    if min(value.low for value in values) <= HOUNSFIELD:
        return next(iter(WINDOWS.values()))
    low, high = _first_range(values)
    return (low + high) / 2, high - low


def _pair(source: ImportRequest, way: Way, values: list[Values]) -> None:
    """The two numbers of the way in use; a change is in force at once, and one that leaves no range is not taken."""
    now = way.reading.window if way.key == "window" else way.reading.value_range
    if now is None:
        return
    low, high = now

    def put(pair: tuple[float, float]) -> None:
        try:
            wanted = _with_pair(way, pair)
        except WorkbenchError as error:
            st.toast(escape(str(error)), icon=":material/error:")
            return
        chosen = brought.choices(source)
        chosen.reading = wanted
        if way.key == "window":
            chosen.window = pair
        else:
            chosen.range = pair

    def put_one(place: int, value: float) -> None:
        put((value, high) if place == 0 else (low, value))

    span = high if way.key == "window" else high - low
    step = 1.0 if span > SMALL_RANGE else span / 100
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for place, name in enumerate(PAIRS[way.key]):
            st.number_input(
                name,
                step=step,
                format="%.6g",
                width=150,
                **state.bound(f"import {way.key} {place}", now[place], partial(put_one, place)),
            )
        if way.key == "window" and min(value.low for value in values) <= HOUNSFIELD:
            usual = next((name for name, window in WINDOWS.items() if window == now), None)
            st.pills(
                "Usual for CT",
                list(WINDOWS),
                **state.bound("import windows", usual, lambda name: put(WINDOWS.get(name, now))),
            )


def _with_pair(way: Way, pair: tuple[float, float]) -> Reading:
    """The reading of a way with other numbers. Raises InvalidInputError if they leave no range."""
    return replace(way.reading, window=pair) if way.key == "window" else replace(way.reading, value_range=pair)


def _number(value: float) -> str:
    return wording.number(value, ",.6g")
