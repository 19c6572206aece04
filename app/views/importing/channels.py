"""Import: the channels of a multi-spectral image that become red, green and blue, or gray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from app import cached, state
from app.components import images
from app.views.importing import brought
from engine.images import Reading
from engine.intake import ImportRequest, Preview

COLORS = ("Red", "Green", "Blue")
SHOWN = 16  # channels that are shown one by one


def draw(source: ImportRequest, wanted: ImportRequest, found: Preview) -> None:
    """The choice, beside each channel of one of the images alone; nothing where there are no more than three."""
    most = max(found.samples, key=lambda sample: sample.channels, default=None)
    if most is None or most.channels <= len(COLORS):
        return
    count, reading = most.channels, found.reading
    chosen = reading.channels or (1, 2, 3)
    st.markdown(f"**{count} channels**: which ones are used?")
    _one_by_one(wanted, reading, most.name, count)
    as_gray = "One, as gray"
    kind = "Three, as colors" if len(chosen) == len(COLORS) else as_gray
    st.segmented_control(
        "Channels",
        ["Three, as colors", as_gray],
        required=True,
        label_visibility="collapsed",
        **state.bound(
            "import channel kind",
            kind,
            lambda now: _read(source, reading, (chosen[0],) if now == as_gray else (1, 2, 3)),
        ),
    )
    with st.grid(len(COLORS), min_column_width=90):
        for place, color in enumerate(COLORS[: len(chosen)]):
            st.selectbox(
                color if len(chosen) > 1 else "Gray",
                range(1, count + 1),
                **state.bound(f"import {color}", chosen[place], _choose(source, reading, chosen, place)),
            )


def _one_by_one(wanted: ImportRequest, reading: Reading, name: str, count: int) -> None:
    alone = tuple(replace(reading, channels=(channel,)) for channel in range(1, min(count, SHOWN) + 1))
    ways = cached.read_in_ways(wanted, brought.since(), (name,), alone)
    shown = [
        images.Picture(sample.image, f"{name}, channel {number} alone", str(number))
        for number, samples in enumerate(ways, 1)
        for sample in samples
        if sample.image is not None
    ]
    images.pictures(shown, size=76)


def _choose(
    source: ImportRequest, reading: Reading, chosen: tuple[int, ...], place: int
) -> Callable[[int | None], None]:
    def put(channel: int | None) -> None:
        if channel is not None:
            _read(source, reading, (*chosen[:place], channel, *chosen[place + 1 :]))

    return put


def _read(source: ImportRequest, reading: Reading, channels: tuple[int, ...]) -> None:
    brought.choices(source).reading = replace(reading, channels=channels)
