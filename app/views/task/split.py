"""Task, the part "Check": which images test, which train, which take no part and why; and how that is decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from app.components import images, wording
from app.components.escaping import escape
from app.views.task.draft import TaskDraft
from app.views.task.geometry import decide
from engine.review import Checked
from engine.tasks import Task

SPLITS = {
    "given": "The source's own",
    "stratified": "Random",
    "by-group": "Whole groups",
}
SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
NAMED_GROUPS = 6  # of those that test, right on the page
SHOWN_ROWS = 48  # images that take no part


def draw(task: Task, now: Checked) -> None:
    """The numbers, what they come from, and the choices."""
    st.subheader("Held-out images", anchor=False)
    st.caption(f"{escape(now.review.split_rule)} They test the student, and take no part in anything else.")
    labeled = int(task.available_labels().sum())
    with st.grid(4, min_column_width=130):
        st.metric("Labeled, train", f"{labeled:,}")
        st.metric("Unlabeled, train", f"{len(task.train_rows) - labeled:,}")
        st.metric("Test", f"{len(task.test_rows):,}")
        st.metric("Take no part", f"{sum(number for _, number in now.review.left_out):,}")
    _out(task, now)
    _groups(task, now)
    _choices(task, now)


def _out(task: Task, now: Checked) -> None:
    """Why images take no part, and some of them."""
    if not now.review.left_out:
        return
    reasons = [f"{number:,} {why}" for why, number in now.review.left_out]
    st.caption(f"No part: {escape('; '.join(reasons))}.")
    some = st.expander("See images that take no part", on_change="rerun", key="check out", icon=":material/block:")
    if some.open:
        rows = np.flatnonzero((task.splits != "train") & ~np.isin(np.arange(len(task.splits)), task.test_rows))
        with some:
            shown = [images.Thumbnail(int(row), task.images.image_ids[row]) for row in rows[:SHOWN_ROWS]]
            images.grid(task, shown, size=56)
            if len(rows) > SHOWN_ROWS:
                st.caption(f"The first {SHOWN_ROWS} of {len(rows):,} are shown.")


def _groups(task: Task, now: Checked) -> None:
    """Which patients, sites or videos test."""
    groups = now.facts.groups
    if not (groups != "").any():
        return
    tested = np.unique(groups[task.test_rows])
    tested = tested[tested != ""]
    every = wording.count(int(np.unique(groups[groups != ""]).size), "group")
    named = wording.listed([wording.isolated(escape(str(name))) for name in tested[:NAMED_GROUPS]])
    more = f" and {len(tested) - NAMED_GROUPS:,} more" if len(tested) > NAMED_GROUPS else ""
    st.caption(
        f"Of {every} {len(tested):,} {'tests' if len(tested) == 1 else 'test'}{': ' if named else ''}{named}{more}."
    )
    which = st.expander("See each group", on_change="rerun", key="check groups", icon=":material/groups:")
    if which.open:
        which.dataframe(_group_table(task, now), hide_index=True, alt="How many images of each group test and train")


def _group_table(task: Task, now: Checked) -> pd.DataFrame:
    """How many images of each group are on which side, those that test first."""
    names, of = np.unique(now.facts.groups, return_inverse=True)
    rows = {
        "Test": task.test_rows,
        "Train": task.train_rows,
    }
    counts = {side: np.bincount(of[where], minlength=len(names)) for side, where in rows.items()}
    counts["Take no part"] = np.bincount(of, minlength=len(names)) - sum(counts.values())
    table = pd.DataFrame({"Group": np.where(names == "", "(no group)", names), **counts})
    return table.sort_values(["Test", "Train"], ascending=False, kind="stable")


def _choices(task: Task, now: Checked) -> None:
    draft = TaskDraft.current()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if len(now.split_methods) > 1:
            st.segmented_control(
                "How they are chosen",
                now.split_methods,
                format_func=SPLITS.__getitem__,
                required=True,
                help="Whole groups: no patient, site or video is both trained on and tested on.",
                **state.bound("split method", now.review.split_method, draft.put("wanted_split")),
            )
            wanted, draft.wanted_split = draft.wanted_split, None
            if wanted and wanted != now.review.split_method:
                decide(task, split=wanted)
        if now.review.split_method == "given":
            return
        shares: Sequence[float] = sorted({*SHARES, now.decisions.test_share})
        st.selectbox(
            "Share of labeled images",
            shares,
            format_func=lambda share: wording.percent(share, 0),
            width=190,
            **state.bound("test share", now.decisions.test_share, draft.put("wanted_share")),
        )
        share, draft.wanted_share = draft.wanted_share, None
        if share and share != now.decisions.test_share:
            decide(task, test_share=share)
        if st.button("Draw again", icon=":material/casino:", help="Other images of the same share."):
            decide(task, seed=now.decisions.seed + 1)
