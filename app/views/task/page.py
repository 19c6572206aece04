"""Task: the images by class, how many of them are labeled, and where they come from."""

from __future__ import annotations

import html
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import images, labels, page, tables, wording
from app.components.escaping import escape
from app.views.task import check, labeling
from app.views.task.draft import TaskDraft
from engine import review
from engine.images import reading_from, reading_in_words
from engine.runs import DEFAULT_METRIC
from engine.similarity import METRICS
from engine.tasks import NO_LABEL, Draw, Task, all_labels, given_label_numbers, is_own

CLASSES_PER_PAGE = 10
IMAGES_PER_CLASS = 15  # shown at least, labeled ones first
LABELED_PER_CLASS = 60  # labeled ones that are shown at most: a page of ten classes then has some hundred pictures
NAMELESS = 30  # images without a known class that are shown
RESIZES = {
    "squash": "stretched to a square",
    "pad": "padded with white to a square",
    "crop": "cropped to the central square",
}


def render() -> None:
    """The page."""
    task = page.required_labels()
    page.header(escape(task.record.title), escape(task.record.summary), about_task=False)
    part = _head(task) if is_own(task) else "images"
    if part == "label":
        labeling.render(task)
    else:
        _settled(page.required_task(), part)
    if _has_labels(task):
        page.link("teachers", "Next: which teachers fit these images")


def _settled(task: Task, part: str) -> None:
    """The parts that show what follows from the labels."""
    if part == "check":
        check.render(task)
    elif task.available_labels().any():
        _images(task)
    else:
        st.info(
            "No image has a label yet: label some of each class, and the methods can begin.", icon=":material/label:"
        )
        if st.button("Label images", type="primary", icon=":material/label:"):
            state.set_part("label")
            st.rerun()


def _has_labels(task: Task) -> bool:
    return bool((given_label_numbers(task) >= 0).any())


def _head(task: Task) -> str:
    """Which part of an own task's page is shown; the way on is beside it, as the parts are long."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        part = _choose_part(task)
        if _has_labels(task):
            page.link("teachers", "Next: which teachers fit")
    return part


def _choose_part(task: Task) -> str:
    waiting = review.count_open(task)
    titles = {
        "images": ":material/photo_library: Images",
        "check": ":material/fact_check: Check" + (f" ({waiting})" if waiting else ""),
        "label": ":material/label: Label",
    }
    part = st.segmented_control(
        "Part",
        list(titles),
        format_func=titles.__getitem__,
        required=True,
        label_visibility="collapsed",
        **state.bound("task part", state.part(), state.set_part),
    )
    return str(part)


def _images(task: Task) -> None:
    _budget(task)
    labeled = task.labeled_rows(state.draw())
    _counts(task, labeled)
    _consequences(task, labeled)
    st.subheader("Images by class", anchor=False)
    _contact_sheet(task, labeled)
    _nameless(task)
    _facts(task)


def _budget(task: Task) -> None:
    align: Literal["bottom", "center"] = "center" if is_own(task) and state.uses_all_labels() else "bottom"
    with st.container(horizontal=True, vertical_alignment=align, gap="medium"):
        if not is_own(task) or _experiment(task):
            _choose_few(task)
        if is_own(task):
            st.markdown(f"The methods use **{labels.used(task)}**.", width="content")


def _experiment(task: Task) -> bool:
    """Of one's own labels all are used, unless somebody wants to see what few of them are worth."""
    most = all_labels(task)

    def switch(on: bool) -> None:
        state.set_labels_per_class(min(Draw.labels_per_class, most - 1) if on else None)

    return most > 1 and st.toggle(
        "Few-label experiment",
        help="What would the methods do with fewer labels? They see some labeled images of each class, and all others "
        "without their class.",
        **state.bound("few labels", not state.uses_all_labels(), switch),
    )


def _choose_few(task: Task) -> None:
    st.segmented_control(
        "Labels per class",
        labels.options(task),
        required=True,
        help="How many training images of each class are labeled; the methods see all others without their class.",
        **state.bound("labels per class", state.labels_per_class(), state.set_labels_per_class),
    )
    st.number_input(
        "Draw",
        min_value=0,
        max_value=9999,
        step=1,
        width=140,
        help="Which images are labeled is random; this number is the seed. Within one draw a smaller budget is a "
        "part of a larger one.",
        **state.bound("seed", state.seed(), state.set_seed),
    )


def _counts(task: Task, labeled: NDArray[np.int64]) -> None:
    unlabeled = len(task.train_rows) - len(labeled)
    values = [
        ("Classes", len(task.classes), "What the student distinguishes."),
        ("Labeled images", len(labeled), "Their class is shown to every method; at this number of labels per class."),
        ("Unlabeled images", unlabeled, "Methods may use them, but not their class."),
        ("Held-out images", len(task.test_rows), "They only test the finished student; the same for every draw."),
    ]
    with st.grid(4, min_column_width=150):
        for label, value, help in values:
            st.metric(label, f"{value:,}", help=help, border=True)


def _consequences(task: Task, labeled: NDArray[np.int64]) -> None:
    """What this budget rules out, and classes that have fewer labels than it asks for."""
    if state.labels_per_class() == 1:
        needy = [m.title for m in METRICS.values() if m.labels_per_class > 1]
        st.info(
            f"One label per class rules out {wording.listed(needy)}: they compare images of the same class, and there "
            f"are no two. So there is no similarity ranking by {METRICS[DEFAULT_METRIC].title}, the default, and all "
            "teachers get equal shares. Two labels per class are enough for it.",
            icon=":material/info:",
        )
    if state.uses_all_labels():
        return
    found = np.bincount(task.labels[labeled], minlength=len(task.classes))
    short = [task.classes[i] for i in np.flatnonzero(found < state.labels_per_class())]
    if short:
        named = wording.listed([escape(name) for name in short[:8]]) + (" and others" if len(short) > 8 else "")
        st.warning(
            f"{wording.count(len(short), 'class has', 'classes have')} fewer labeled images than this budget: {named}. "
            "All that they have are used.",
            icon=":material/label_off:",
        )


def _contact_sheet(task: Task, labeled: NDArray[np.int64]) -> None:
    st.caption(
        "Training images only. A frame and a check mark: labeled in this draw. The others are unlabeled for every "
        "method; the sheet knows their class, the methods do not."
    )
    found = _found_classes(task)
    pages = max(1, -(-len(found) // CLASSES_PER_PAGE))
    sheets = TaskDraft.current().sheets
    shown = min(sheets.get(task.name, 1), pages)
    slot = st.container()
    if pages > 1:
        st.pagination(pages, **state.bound("contact sheet", shown, partial(sheets.__setitem__, task.name)))
    first = (shown - 1) * CLASSES_PER_PAGE
    blocks = [_class_block(task, label, labeled) for label in found[first:][:CLASSES_PER_PAGE]]
    if blocks:
        slot.html("".join(blocks))


def _found_classes(task: Task) -> list[int]:
    """The classes that are shown, as labels: of many, those whose names hold what is typed."""
    everyone = list(range(len(task.classes)))
    if len(everyone) <= CLASSES_PER_PAGE:
        return everyone
    words = TaskDraft.current().words
    text = st.text_input(
        "Find a class",
        placeholder=f"a part of one of {len(everyone):,} names",
        icon=":material/search:",
        width=320,
        **state.bound("find a class", words.get(task.name, ""), partial(words.__setitem__, task.name)),
    )
    found = [label for label in everyone if text.strip().casefold() in task.classes[label].casefold()]
    if not found:
        st.caption(f"No class has {escape(repr(text.strip()))} in its name.")
    return found


def _class_block(task: Task, label: int, labeled: NDArray[np.int64]) -> str:
    """Heading and thumbnails of one class, labeled ones first."""
    name = task.classes[label]
    of_class = task.train_rows[task.labels[task.train_rows] == label]
    known = np.isin(of_class, labeled)
    with_label, without = of_class[known], of_class[~known]
    items = [images.Thumbnail(int(row), f"{name}, labeled", marked=True) for row in with_label[:LABELED_PER_CLASS]]
    items += [
        images.Thumbnail(int(row), f"{name}, unlabeled") for row in without[: max(0, IMAGES_PER_CLASS - len(items))]
    ]
    counted = f"{len(with_label):,} labeled, {len(without):,} unlabeled"
    if len(with_label) > LABELED_PER_CLASS:
        counted += f"; {LABELED_PER_CLASS} are shown"
    heading = f"<bdi>{html.escape(name)}</bdi> <small>{counted}</small>"
    return _block(heading, images.grid_html(task, items, size=54))


def _nameless(task: Task) -> None:
    """Images whose class nobody knows: the more there are, the more the methods can learn from them."""
    rows = task.train_rows[task.labels[task.train_rows] == NO_LABEL]
    if not len(rows):
        return
    st.subheader(wording.count(len(rows), "image") + " without a known class", anchor=False)
    every = max(1, len(rows) // NAMELESS)
    shown = rows[::every][:NAMELESS]
    of = "" if len(shown) == len(rows) else f" {len(shown)} of them, from all over the source:"
    st.caption(f"They train as unlabeled images.{of}")
    images.grid(task, [images.Thumbnail(int(row), "unlabeled, class not known") for row in shown], size=54)


def _block(heading: str, grid: str) -> str:
    return f'<section style="margin:0 0 14px"><h4 style="margin:0 0 6px;padding:0">{heading}</h4>{grid}</section>'


def _facts(task: Task) -> None:
    record = task.record
    facts = st.expander("Where the images come from, and how they are used", on_change="rerun", key="task facts")
    if not facts.open:
        return
    known = task.available_labels()
    rows = {
        "License": record.license,
        "Source": record.source,
        "Collection": record.collection + (f" ({', '.join(record.parts)})" if record.parts else " (all of it)"),
        "Held-out images": record.split_rule.replace(" %", "\u00a0%"),
        "Geometry": f"Images are {RESIZES.get(record.resize, record.resize)}.",
        "Channels and bits": reading_in_words(reading_from(record.reading)),
        "Mirroring": "A mirrored image is still of its class." if record.flip else "Images are never mirrored.",
        "Known labels per class": f"{known.min():,} to {known.max():,} training images, before a budget is drawn",
        "Revision": task.revision,
    }
    rows = {name: value for name, value in rows.items() if value}
    with facts:
        st.table(
            tables.literal(pd.Series(rows, name="").to_frame()),
            alt="Facts about the task: license, source, collection, split",
        )
        st.markdown("**Images of each class at this budget**")
        st.dataframe(tables.written(class_table(task), {}), hide_index=True, alt="Counts of images by class")


def class_table(task: Task) -> pd.DataFrame:
    """How many images of each class are labeled in this draw, unlabeled, and held out."""
    labeled = task.labeled_rows(state.draw())
    counts = {
        "Labeled": np.bincount(task.labels[labeled], minlength=len(task.classes)),
        "Unlabeled": task.available_labels() - np.bincount(task.labels[labeled], minlength=len(task.classes)),
        "Held out": np.bincount(task.labels[task.test_rows], minlength=len(task.classes)),
    }
    return pd.DataFrame({"Class": task.classes, **counts})


if __name__ == "__main__":
    render()
