"""Adding pretrained networks: recommended ones from far-apart fields, or any of timm's registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from app import state
from app.components import tables, wording
from app.components.escaping import escape, escape_badge
from app.views.add_teacher import closing, job
from app.views.add_teacher.draft import AddTeacherDraft, Wanted
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.teachers import (
    Pretrained,
    Recommended,
    TeacherDescription,
    added_teachers,
    get_pretrained,
    known_licenses,
    recommended,
    request_hub,
    search,
    weights_here,
)

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")  # owner/name
MOST_SHOWN = 200  # rows of a search; a word more narrows it
PARAMETERS = (None, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 300.0)  # millions
GFLOPS = (None, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0)
SIZES = {"any": None, "up to 160 px": (0, 160), "161 to 224 px": (161, 224), "225 to 384 px": (225, 384)}
SIZES |= {"above 384 px": (385, 10_000)}
BYTES_PER_PARAMETER = 4
ROW_PIXELS, TABLE_PIXELS = 35, 330


def recommended_teachers() -> None:
    """Teachers whose images are far apart, with source and license."""
    job.show("recommended", _asked("recommended"))
    st.caption(
        "From fields far apart, because it is hard to know beforehand which one is similar to your images. Source and "
        "license of each were looked up. There is none of documents: no such network with a stated license was found."
    )
    there = {record.source.removeprefix("https://huggingface.co/") for record in added_teachers(state.workspace())}
    entries = recommended()
    for first in range(0, len(entries), 2):
        for column, entry in zip(st.columns(2), entries[first : first + 2], strict=False):
            with column.container(border=True, height="stretch"):
                _card(entry, entry.repository in there)


def _card(entry: Recommended, added: bool) -> None:
    st.markdown(f"**{escape(entry.title)}**")
    with st.container(horizontal=True, gap="small"):
        st.badge(entry.field, color="blue")
        st.badge(escape_badge(entry.license), icon=":material/license:", color="gray")
        if added:
            st.badge("Added", icon=":material/check:", color="green")
    st.markdown(escape(entry.note))
    source = entry.source if entry.source.startswith("https://") else f"https://huggingface.co/{entry.repository}"
    st.caption(" · ".join(fact for fact in (_cost_of(entry), _whereabouts(entry.name)) if fact))
    _link(entry.repository, source)
    st.space("stretch")
    if st.button("Add", key=f"add {entry.name}", icon=":material/add:", disabled=added):
        _start("recommended", entry.name, TeacherDescription(), None)


def _link(repository: str, address: str) -> None:
    """A link to where a network comes from; in a caption, which is paler, it could hardly be read."""
    st.markdown(f":small[[{escape(repository)}]({address})]")


def _cost_of(entry: Recommended) -> str:
    try:
        found = get_pretrained(entry.name)
    except WorkbenchError:
        return ""
    if found.parameters is None or found.gflops is None:
        return ""
    return f"{wording.parameters(found.parameters)}, {wording.gflops(found.gflops)} at {found.size} px"


def search_timm() -> None:
    """The whole registry of timm, searched on this machine."""
    job.show("search", _asked("search"))
    words, found = _asked_search()
    if not found and REPOSITORY.fullmatch(words.strip()):
        _of_the_hub(words.strip())
        return
    st.caption(
        f"{wording.count(len(found), 'network')} of timm's registry, the cheapest first"
        + (f"; the first {MOST_SHOWN} are shown" if len(found) > MOST_SHOWN else "")
        + ". Choose a row to add it."
    )
    if not found:
        st.info("No network fits: use fewer words, or wider limits.", icon=":material/search_off:")
        return
    shown = found[:MOST_SHOWN]
    event = st.dataframe(
        tables.written(_table(shown), {"Parameters, M": wording.PARAMETERS, "GFLOPs": wording.GFLOPS}),
        hide_index=True,
        height=min(TABLE_PIXELS, ROW_PIXELS * (len(shown) + 1) + 2),
        key=f"timm {hash(tuple(entry.name for entry in shown))}",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "GFLOPs": st.column_config.NumberColumn(help="Multiply-accumulates / 1e9 of one image at the input size."),
            "Classes": st.column_config.NumberColumn(help="0: it has none, so it gives no pseudo-labels."),
        },
        alt="Pretrained networks of timm with classes, cost, input size, license and collections",
    )
    if rows := event["selection"]["rows"]:
        _chosen(shown[rows[0]])


def _of_the_hub(repository: str) -> None:
    """A repository by its name, which the registry need not know."""
    with st.container(border=True):
        st.markdown(f"**{escape(repository)}** is not in timm's registry. It can be added if it holds a timm network.")
        st.caption(_whereabouts(repository))
        if st.button("Add this repository", type="primary", icon=":material/add:"):
            _start("search", repository, TeacherDescription(), None)


def _asked_search() -> tuple[str, list[Pretrained]]:
    """The words, and what fits them."""
    text = st.text_input(
        "Words, or a repository of the Hugging Face hub",
        key="timm-words",
        placeholder="such as: convnext in1k, dinov2, mit; or owner/name",
        persist_state="session",
    )
    columns = st.columns(4)
    with columns[0]:
        parameters = st.selectbox("Parameters, at most", PARAMETERS, format_func=partial(_limit, unit="M"))
    with columns[1]:
        gflops = st.selectbox("GFLOPs, at most", GFLOPS, format_func=partial(_limit, unit=""))
    with columns[2]:
        size = st.selectbox("Input size", list(SIZES))
    with columns[3]:
        licenses = st.multiselect(
            "Licenses", known_licenses(), format_func=lambda name: name or "not stated", placeholder="any"
        )
    with_classes = st.toggle("Only networks with classes, which give pseudo-labels", value=True)
    return text, search(
        text,
        most_parameters=parameters,
        most_gflops=gflops,
        sizes=SIZES[size or "any"],
        licenses=licenses or None,
        with_classes=with_classes,
    )


def _limit(value: float | None, unit: str) -> str:
    return "any" if value is None else f"{value:g} {unit}".strip()


def _table(entries: list[Pretrained]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Name": [entry.name for entry in entries],
            "Classes": [entry.classes for entry in entries],
            "Parameters, M": [None if e.parameters is None else e.parameters / 1e6 for e in entries],
            "GFLOPs": [entry.gflops for entry in entries],
            "Size, px": [entry.size for entry in entries],
            "License": [entry.license or "not stated" for entry in entries],
            "Learned from": [", ".join(entry.collections) or "not known" for entry in entries],
        }
    )


def _chosen(entry: Pretrained) -> None:
    """The network of the chosen row, and what to call it."""
    with st.container(border=True):
        st.markdown(f"**{escape(entry.name)}**")
        license = escape(entry.license or "not stated by timm")
        weights = f"{(entry.parameters or 0) * BYTES_PER_PARAMETER / 1e6:,.0f} MB" if entry.parameters else "weights"
        st.caption(f"{_whereabouts(entry.name)} · {weights} · license {license}")
        _link(entry.repository, f"https://huggingface.co/{entry.repository}")
        left, right = st.columns(2)
        title = left.text_input("Title", value=entry.name, key=f"title {entry.name}", max_chars=200)
        collections = right.text_input(
            "Learned from (collections, separated by commas)",
            value=", ".join(entry.collections) or f"unknown: {entry.name}",
            key=f"collections {entry.name}",
            help="It may not teach a task whose images come from one of these.",
        )
        names = [part.strip() for part in collections.split(",") if part.strip()]
        closing.say(names)  # below the columns
        size = left.number_input(
            "Input size, pixels",
            16,
            1024,
            value=entry.size,
            key=f"size {entry.name}",
            help="Its own is best; a smaller one costs less, with the square of it.",
        )
        right.space("small")
        if right.button("Add this teacher", type="primary", icon=":material/add:"):
            about = TeacherDescription(
                title=title, collection=names[0] if names else "", further_collections=tuple(names[1:])
            )
            _start("search", entry.name, about, int(size))


def _whereabouts(name: str) -> str:
    try:
        here = weights_here(state.workspace(), name)
    except WorkbenchError as error:
        return escape(str(error))
    return ":material/hard_drive: weights are here" if here else ":material/download: weights will be downloaded"


def _start(way: str, name: str, about: TeacherDescription, size: int | None) -> None:
    AddTeacherDraft.current().wanted[way] = Wanted(name, about, size)
    ask = _asked(way)
    if ask is not None:
        job.start(way, ask)
        st.rerun()


def _asked(way: str) -> Callable[[], Job] | None:
    wanted = AddTeacherDraft.current().wanted.get(way)
    if wanted is None:
        return None
    return lambda: request_hub(state.workspace(), wanted.name, wanted.about, wanted.size)
