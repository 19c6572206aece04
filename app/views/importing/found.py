"""Import: what was recognized, before anything is made, and what can be changed about it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from app import cached, state
from app.components import images, wording
from app.components.escaping import escape
from app.views.importing import brought, channels, encodings, make, place, questions, reading
from engine import tasks
from engine.errors import WorkbenchError
from engine.intake import FOLDER_CLASSES, FOLDER_LAYOUTS, ImportRequest, Preview


def draw(source: ImportRequest) -> None:
    """The proposal: counts, columns, images as they will be read, classes, and the button that makes the task."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/folder_zip: **{escape(brought.source_words(source))}**", width="content")
        if st.button("Bring something else", icon=":material/arrow_back:", type="tertiary"):
            brought.let_go(source)
    wanted = brought.as_chosen(source)
    found = _previewed(source, wanted)
    if found is None:
        return
    _counts(found)
    questions.draw(source, found.questions)
    encodings.draw(source, found)
    _columns(source, found)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _samples(found)
    with right:
        _classes(found)
        _folders(source, found)
    channels.draw(source, wanted, found)
    reading.draw(source, wanted, found)
    in_place = place.draw(source, found)
    _remarks(found)
    classes = _classes_by_hand(found)
    wanted = replace(wanted, classes=classes, in_place=in_place)
    make.draw(wanted, possible=len({*found.classes, *classes}) >= 2)


def _previewed(source: ImportRequest, wanted: ImportRequest) -> Preview | None:
    """What the import would make; None, with a sentence and a way back, if it cannot be made."""
    try:
        with st.spinner("Reading the files"):
            return cached.previewed(wanted, brought.since())
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
    if wanted != source and st.button("Undo the last choice", icon=":material/undo:"):
        brought.undo_choices(source)
        st.rerun()
    return None


def _counts(found: Preview) -> None:
    with st.container(border=True):
        st.markdown(f"Read as **{escape(found.layout_title)}**")
        labeled = sum(found.classes.values())
        with st.grid(4, min_column_width=130):
            st.metric("Images", f"{found.images:,}")
            st.metric("Classes", f"{len(found.classes):,}")
            st.metric("Labeled", f"{labeled:,}")
            st.metric("Unlabeled", f"{found.unlabeled:,}")
        held = _held_out(found)
        st.caption(f"{held}. All this can be changed on the next page.")


def _held_out(found: Preview) -> str:
    """How images will be held out for the test, and what becomes of groups."""
    if found.test:
        held = f"{wording.count(found.test, 'image')} held out for the test by the source itself"
    elif found.classes:
        held = "About 20\u00a0% of the labeled images of each class will be held out for the test"
    else:
        held = "About 20\u00a0% of the images that you label will be held out for the test"
    if found.straddling:
        held += (
            f"; {found.straddling:,} of {wording.count(found.groups, 'group')} (patients, sites, videos) are on both "
        )
        held += "sides, and what becomes of them is asked next"
    elif found.groups:
        held += f"; {wording.count(found.groups, 'group')} (patients, sites, videos) stay on one side"
    elif any(sample.patient for sample in found.samples):
        held += "; all images of a patient, whom the DICOM files name, stay on one side"
    return held


def _columns(source: ImportRequest, found: Preview) -> None:
    """Which column of a table is what; a choice is in force at once."""
    if found.columns is None:
        return
    used = {"path": found.columns.path, "label": found.columns.label, "group": found.columns.group}
    used["split"] = found.columns.split
    titles = {
        "path": ("Image names", "The column that names the image files."),
        "label": ("Labels", "The class of each image; an empty cell is an unlabeled image."),
        "group": ("Groups", "Patients, sites or videos: a group is never both trained on and tested on."),
        "split": ("Split", "Which images train and which test, if the table says so."),
    }
    st.markdown("**The table's columns** were guessed; change what is wrong.")
    with st.grid(4, min_column_width=150):
        for key, (title, meaning) in titles.items():
            options = [*found.all_columns] if key == "path" else [brought.NONE, *found.all_columns]
            st.selectbox(
                title,
                options,
                help=meaning,
                **state.bound(f"import column {key}", used[key] or brought.NONE, brought.choose_column(source, key)),
            )


def _samples(found: Preview) -> None:
    shown = [sample for sample in found.samples if sample.image is not None]
    st.markdown("**Some of the images**, as they will be read")
    images.pictures(
        [
            images.Picture(
                sample.image,
                f"{sample.name}, {sample.size[0]} × {sample.size[1]} pixels",
                sample.label or "unlabeled",
            )
            for sample in shown
            if sample.image is not None
        ],
        size=92,
    )
    for sample in found.samples:
        if sample.problem:
            st.caption(f":material/warning: {escape(sample.problem)}")
    steps = list(dict.fromkeys(step for sample in shown for step in sample.steps))
    if steps:
        st.caption(f":material/palette: To make them RGB: {escape('; '.join(steps))}.")


def _classes(found: Preview) -> None:
    if not found.classes:
        return
    table = pd.DataFrame({"Class": list(found.classes), "Labeled images": list(found.classes.values())})
    most = max(found.classes.values())
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "Labeled images": st.column_config.ProgressColumn(format="localized", min_value=0, max_value=most)
        },
        alt="How many labeled images each class has",
    )


def _folders(source: ImportRequest, found: Preview) -> None:
    """Whether folders are classes: people also sort by patient, day or camera."""
    denied = brought.choices(source).columns.get("label") == ""
    if found.layout not in FOLDER_LAYOUTS.values() or not (found.classes or denied):
        return
    if any(question.key == FOLDER_CLASSES for question in found.questions):  # it is asked there
        return
    if _by_patient(found):
        st.warning(
            "Each of these folders holds one patient, by what the DICOM files say. If folders are patients, say below "
            "that they are no classes.",
            icon=":material/personal_injury:",
        )
    st.toggle(
        "The folders are classes",
        help="Off: the images come without labels, and you name the classes and label some images of each here.",
        **state.bound(
            "import folders",
            not denied,
            lambda classes: brought.choose_column(source, "label")(None if classes else brought.NONE),
        ),
    )


def _by_patient(found: Preview) -> bool:
    """Whether the images shown have one patient in each of several folders, and another one in each."""
    pairs = {(sample.label, sample.patient) for sample in found.samples if sample.label is not None}
    labels, patients = {label for label, _ in pairs}, {patient for _, patient in pairs}
    several = sum(sample.label is not None for sample in found.samples) > len(pairs)
    return several and "" not in patients and len(pairs) == len(labels) == len(patients) > 1


def _remarks(found: Preview) -> None:
    for note in found.notes:
        st.caption(f":material/info: {escape(note)}")
    if not found.skipped_count:
        return
    title = wording.count(found.skipped_count, "file or row is", "files or rows are") + " left out"
    left_out = st.expander(title, on_change="rerun", key="import skipped", icon=":material/block:")
    if left_out.open:
        left_out.dataframe(
            pd.DataFrame(found.skipped, columns=["Name", "Why"]), hide_index=True, alt="What is left out, and why"
        )


def _classes_by_hand(found: Preview) -> tuple[str, ...]:
    """Names of classes for images that have none, to be labeled here."""
    if len(found.classes) >= 2:
        return ()
    st.info(
        "These images have no classes yet. Name at least two, and label some images of each afterwards."
        if not found.classes
        else "There is only one class. Name at least one more, and label some images of it afterwards.",
        icon=":material/label:",
    )
    written = st.text_area("Classes, one a line", placeholder="healthy\nsick", key="import classes", height=100)
    return tuple(dict.fromkeys(name for line in written.splitlines() if (name := tasks.clean_text(line))))
