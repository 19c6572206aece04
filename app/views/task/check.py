"""Task, the part "Check": what is odd in one's own images, each finding fixed or accepted with a click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from app import cached
from app.components import images, unfinished, wording
from app.components.escaping import escape
from app.views.task import geometry, split
from app.views.task.geometry import decide
from engine import tasks
from engine.review import Checked, Finding
from engine.tasks import Task

SEVERITIES: dict[str, tuple[str, str, Literal["red", "orange", "gray"]]] = {  # in the order of the page
    "problem": (":material/error:", "Spoils the result", "red"),
    "warning": (":material/warning:", "Worth checking", "orange"),
    "note": (":material/info:", "For your information", "gray"),
}
SHOWN_ROWS = 24
SHOWN_CLUSTERS = 10
IN_CLUSTER = 4


def render(task: Task) -> None:
    """The part."""
    now = cached.checked(task)
    unfinished.warn(task, "A decision")
    _summary(task, now)
    order = list(SEVERITIES)
    for finding in sorted((f for f in now.findings if f.severity != "note"), key=lambda f: order.index(f.severity)):
        _finding(task, finding)
    notes = [finding for finding in now.findings if finding.severity == "note"]
    if notes:
        title = f"{wording.count(len(notes), 'more thing')} to know; no decision is needed"
        more = st.expander(title, on_change="rerun", key="check notes", icon=":material/info:")
        if more.open:
            with more:
                for finding in notes:
                    _finding(task, finding)
    split.draw(task, now)
    geometry.draw(task, now)
    _name(task)


def _summary(task: Task, now: Checked) -> None:
    open_findings = now.open_findings
    st.subheader("Findings", anchor=False)
    if not open_findings:
        st.success(
            "Nothing is left to decide." if now.findings else "Nothing odd was found.", icon=":material/check_circle:"
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{wording.count(len(open_findings), 'finding')}** to decide on. What is marked is in force already; "
            "accept it, or choose otherwise.",
            width="content",
        )
        if st.button("Accept all", icon=":material/done_all:", key="accept all"):
            decide(task, findings={f.key: f.choice for f in open_findings})


def _finding(task: Task, finding: Finding) -> None:
    icon, word, color = SEVERITIES[finding.severity]
    with st.container(border=True, key=f"finding {finding.key}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{icon} **{escape(finding.title)}**", width="content")
            if finding.decided:
                st.badge("Decided", icon=":material/check:", color="green")
            elif finding.severity != "note":
                st.badge(word, color=color)
        st.markdown(escape(finding.text))
        _evidence(task, finding)
        _choices(task, finding)


def _evidence(task: Task, finding: Finding) -> None:
    if finding.clusters:
        groups = [_thumbnails(task, cluster[:IN_CLUSTER]) for cluster in finding.clusters[:SHOWN_CLUSTERS]]
        images.clusters(task, groups)
        if len(finding.clusters) > SHOWN_CLUSTERS:
            st.caption(f"The first {SHOWN_CLUSTERS} of them are shown.")
    elif finding.rows:
        images.grid(task, _thumbnails(task, finding.rows[:SHOWN_ROWS]), size=56)
    if not finding.names:
        return
    if len(finding.names) <= 3:
        for name, remark in finding.names:
            about = remark if remark.startswith(name) else f"{name}: {remark}"
            st.caption(escape(about))
        return
    names = st.expander("See which", on_change="rerun", key=f"names {finding.key}")
    if names.open:
        names.dataframe(
            pd.DataFrame(finding.names, columns=["Name", "Remark"]), hide_index=True, alt=f"{finding.title}: which"
        )


def _thumbnails(task: Task, rows: Sequence[int]) -> list[images.Thumbnail]:
    """Images with the labels that they came with, or were given by hand: decisions may have taken them away."""
    sides = {"train": "trains", "test": "tests", "out": "takes no part"}
    captions = [
        f"{name or 'unlabeled'}, {sides[str(task.splits[row])]}"
        for row, name in zip(rows, tasks.given_labels(task, rows), strict=True)
    ]
    return [
        images.Thumbnail(row, f"{task.images.image_ids[row]}, {caption}", caption=caption)
        for row, caption in zip(rows, captions, strict=True)
    ]


def _choices(task: Task, finding: Finding) -> None:
    if finding.severity == "note" and len(finding.choices) == 1:
        return
    with st.container(horizontal=True):
        for choice in finding.choices:
            in_force = choice.key == finding.choice
            pressed = st.button(
                choice.title,
                key=f"decide {finding.key} {choice.key}",
                icon=":material/check:" if in_force else None,
                disabled=in_force and finding.decided,
            )
            if pressed:
                decide(task, findings={finding.key: choice.key})
        if finding.decided and st.button(
            "Take back", key=f"take back {finding.key}", type="tertiary", icon=":material/undo:"
        ):
            decide(task, findings={finding.key: None})


def _name(task: Task) -> None:
    about = st.expander("Name and description", on_change="rerun", key="check name", icon=":material/edit:")
    if not about.open:
        return
    with about, st.form("name of the task", border=False):
        title = st.text_input("Name", task.record.title, max_chars=200)
        summary = st.text_area("Description", task.record.summary, max_chars=200, height=80)
        if st.form_submit_button("Save"):
            decide(task, title=title, summary=summary)
