"""Which teachers the Teachers page shows, and in which order. Weights always count all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.components import wording
from engine.teachers import TeacherRecord

SIMILARITY = "Similarity"
ORDERS: dict[str, Callable[[TeacherRecord], Any]] = {
    "Parameters": lambda record: record.parameters,
    "GFLOPs": lambda record: record.gflops,
    "Collection": lambda record: record.collection,
    "License": lambda record: record.license,
    "Name": lambda record: record.title,
}


@dataclass(frozen=True)
class Filter:
    """What the user wants to see; None where nothing is asked for."""

    order: str = SIMILARITY
    collections: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    most_parameters: float | None = None  # millions
    most_gflops: float | None = None

    def keeps(self, record: TeacherRecord) -> bool:
        """Whether a teacher is shown."""
        return (
            (not self.collections or record.collection in self.collections)
            and (not self.licenses or record.license in self.licenses)
            and (self.most_parameters is None or _millions(record) <= self.most_parameters)
            and (self.most_gflops is None or _gflops(record) <= self.most_gflops)
        )

    def ordered(self, records: Sequence[TeacherRecord]) -> list[TeacherRecord]:
        """The teachers that are shown, in their order; `records` come the most similar first."""
        kept = [record for record in records if self.keeps(record)]
        return kept if self.order == SIMILARITY else sorted(kept, key=ORDERS[self.order])


def ask(records: Sequence[TeacherRecord], key: str) -> Filter:
    """Draw the controls in a popover and give what they say; `key` names the task, whose teachers they list."""
    with st.popover("Sort and filter", icon=":material/filter_list:"):
        order = st.selectbox("Sort by", [SIMILARITY, *ORDERS], key=f"teachers-order-{key}", persist_state="session")
        chosen = Filter(
            order,
            _several("Collections", [record.collection for record in records], f"teachers-collections-{key}"),
            _several("Licenses", [record.license for record in records], f"teachers-licenses-{key}"),
            _at_most("Parameters, at most (M)", [_millions(record) for record in records], f"teachers-size-{key}"),
            _at_most("GFLOPs, at most", [_gflops(record) for record in records], f"teachers-gflops-{key}"),
        )
    hidden = sum(not chosen.keeps(record) for record in records)
    if hidden:
        st.caption(
            f":material/filter_list: {wording.count(hidden, 'teacher is', 'teachers are')} filtered out of the charts "
            "and the table; the weights count all."
        )
    return chosen


def _several(label: str, values: Sequence[str], key: str) -> tuple[str, ...]:
    return tuple(st.multiselect(label, sorted(set(values)), placeholder="All", key=key, persist_state="session"))


def _at_most(label: str, values: Sequence[float], key: str) -> float | None:
    steps = sorted(set(values))
    if len(steps) < 2:
        return None
    most = st.select_slider(label, steps, steps[-1], format_func=lambda v: f"{v:g}", key=key, persist_state="session")
    return None if most == steps[-1] else float(most)


def _millions(record: TeacherRecord) -> float:
    return round(record.parameters / 1e6, 2)


def _gflops(record: TeacherRecord) -> float:
    return round(record.gflops, 3)
