"""Adding what a user brings as a file: a checkpoint, or a table of features and pseudo-labels."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import state
from app.components import origin, page, wording
from app.components.escaping import escape
from app.views.add_teacher import closing, job
from engine.features import request_outputs
from engine.teachers import (
    POOLINGS,
    TeacherDescription,
    architectures,
    numbers_text,
    request_checkpoint,
    stage,
    timm_configuration,
)

POOLING_NAMES = {
    "": "the architecture's own",
    "avg": "mean of all places (avg)",
    "max": "largest of all places (max)",
    "token": "class token (token)",
}
EXAMPLE = """image_id          | features           | pseudo_labels
cats/0001.png     | [0.1, 2.3, …]      | [0.02, 0.91, 0.07]
cats/0002.png     | [0.4, 1.9, …]      | [0.33, 0.33, 0.34]"""


def checkpoint() -> None:
    """A file of weights with a timm architecture."""
    st.markdown(
        "The weights of any architecture that timm knows, as `.safetensors`, or as `.pt` or `.pth` if nothing but "
        "tensors is in it. They are compared with the architecture name by name, and tried on two images, before they "
        "are kept."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        file = st.file_uploader("File of weights", key="checkpoint-file")
        architecture = st.selectbox(
            "Architecture",
            architectures(),
            index=None,
            placeholder="timm's name, such as resnet18",
            key="checkpoint-net",
        )
        about = _about("checkpoint")
    with right:
        names = st.text_area(
            "Class names, one on each line, in the order of the outputs",
            key="checkpoint-classes",
            height=174,
            help="Without any, its features alone are used: it is ranked, mapped, and heard in "
            f"{origin.by_features()}, but not in the other methods.",
        )
        chosen = _as_trained(architecture)
    if st.button("Add this checkpoint", type="primary", icon=":material/add:", key="checkpoint-add"):
        if file is None or architecture is None:
            st.error("Choose a file of weights and its architecture first.", icon=":material/error:")
        else:
            network = {
                "architecture": architecture,
                "classes": [line for line in names.splitlines() if line.strip()],
                **chosen,
            }
            job.start(
                "checkpoint",
                lambda: request_checkpoint(
                    state.workspace(), stage(state.workspace(), file), file.name, about, network
                ),
            )
    job.show("checkpoint", None)
    st.caption(
        "Files above 200 MB: `python -m engine teachers add FILE --architecture NAME --classes names.txt "
        "--collection WHERE`."
    )


def outputs() -> None:
    """A table of features and pseudo-labels for the images of the chosen task."""
    task = page.required_task()
    st.markdown(
        f"For a network that may not be shared: a Parquet file with what it says of each image of the task "
        f"**{escape(task.record.title)}**. Needed are all "
        f"{wording.count(len(task.train_rows), 'training image')}, labeled or not; other rows are left out."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        file = st.file_uploader("Table (.parquet)", type=["parquet"], key="outputs-file")
        about = _about("outputs")
    with right:
        names = st.text_area(
            "Names of its classes, one on each line (optional)",
            key="outputs-classes",
            height=122,
            help="In the order of the pseudo-labels. By default the names of their columns, or class 0, class 1 and "
            "so on.",
        )
        column = st.text_input("Column that names the image (optional)", key="outputs-column", placeholder="image_id")
        st.caption(
            "One row for each image: its id or file name; **features**, a list of numbers, or columns f0, f1, …; and "
            "**pseudo_labels**, probabilities over the network's own classes that sum to 1, or columns p\\_cat, "
            f"p\\_dog, …. Features alone can be ranked, mapped and heard in {origin.by_features()}, but not in the "
            "other methods; pseudo-labels alone do for all of it. Other columns are left alone."
        )
        st.code(EXAMPLE, language=None)
    if st.button("Add this table", type="primary", icon=":material/add:", key="outputs-add"):
        if file is None:
            st.error("Choose a table first.", icon=":material/error:")
        else:
            classes = [line for line in names.splitlines() if line.strip()]
            job.start(
                "outputs",
                lambda: request_outputs(
                    state.workspace(),
                    task,
                    stage(state.workspace(), file),
                    file.name,
                    about,
                    classes,
                    column.strip() or None,
                ),
            )
    job.show("outputs", None)


def _about(way: str) -> TeacherDescription:
    title = st.text_input("Title: what it knows, in a few words", key=f"{way}-title", max_chars=200)
    collections = st.text_input(
        "Learned from: the collection of its training images",
        key=f"{way}-collections",
        placeholder="such as: clinic-2024, imagenet",
        help="Separated by commas if there are several. It may not teach a task whose images come from one of these, "
        "because what it knows of them would leak into the result.",
    )
    names = _split(collections)
    closing.say(names)
    license = st.text_input("License (optional)", key=f"{way}-license")
    return TeacherDescription(
        title=title, collection=names[0] if names else "", further_collections=tuple(names[1:]), license=license
    )


def _as_trained(architecture: str | None) -> dict[str, Any]:
    """How the network wants its images, as timm configures its architecture until it is changed; what was changed."""
    if architecture is None:
        st.caption("Choose the architecture: its input size, normalization and pooling then stand here, to be changed.")
        return {}
    own = timm_configuration(architecture)
    fields: dict[str, tuple[Any, Any]] = {}  # as it is in the form, and as timm has it

    def key(name: str) -> str:  # another architecture begins with its own values
        return f"checkpoint-{name}-{architecture}"

    left, right = st.columns(2)
    size = left.number_input("Input size, pixels", 16, 1024, value=own.size, key=key("size"))
    fields["size"] = int(size), own.size
    poolings = list(dict.fromkeys([own.pooling, *POOLINGS]))
    pooling = right.selectbox(
        "Pooling", poolings, format_func=lambda name: POOLING_NAMES.get(name, name), key=key("pooling")
    )
    fields["pooling"] = pooling, own.pooling
    left, right = st.columns(2)
    for column, name, label in ((left, "mean", "Mean"), (right, "std", "Standard deviation")):
        preset = numbers_text(getattr(own, name))
        fields[name] = column.text_input(f"{label}, pixels in 0..1", preset, key=key(name)), preset
    st.caption("As timm configures this architecture. Change what your training did otherwise.")
    with st.expander("A file that holds more than the network"):
        fields["prefix"] = st.text_input("Take the tensors whose names begin with", key="checkpoint-prefix").strip(), ""
        fields["ignore"] = st.text_input("Leave out the tensors whose names begin with", key="checkpoint-ignore"), ""
        st.caption(
            "Words before the names are found by themselves, averaged weights (EMA) are preferred, and what training "
            "programs keep beside a network is left out. What was taken is said under *Added so far*."
        )
    changed = {name: value for name, (value, preset) in fields.items() if value != preset}
    return {name: _split(value) if name in ("mean", "std", "ignore") else value for name, value in changed.items()}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
