"""Import: one's own images, from where they are to a task. What was recognized is shown before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components import images, page, waiting, wording
from engine import jobs, tasks
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.tasks import IMPORT_DEVICE, IMPORT_KIND, TORCHVISION_SETS, UPLOAD, Columns, ImportRequest, Preview, Reading

WAYS = {
    "files": ":material/upload_file: Drop files",
    "folder": ":material/drive_folder_upload: Drop a folder",
    "server": ":material/dns: On the server",
    "public": ":material/public: Public data set",
}
UPLOAD_MEGABYTES = 1000  # an upload lies in the server's memory until it is kept
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2")
TABLES = (".csv", ".tsv", ".parquet")
NONE = "(none)"
BROUGHT = "import.brought"  # what is looked at now: source, images, title
WATCHED = "import.watched"  # folders of the imports that this session saw under way
ASKED = "import.asked"  # folder of the one that this session asked for last
ROUND = "import.round"  # a new number makes empty uploaders


def render() -> None:
    """The page."""
    page.header(
        "Use your own images",
        "Bring a folder, a ZIP or a table. What is recognized is shown first; nothing is made until you say so.",
    )
    state.queue(IMPORT_DEVICE)  # an import that another server left goes on
    if _watch():
        return
    brought = state.note(BROUGHT)
    if brought is None:
        _ways_in()
    else:
        _proposal(ImportRequest(**brought))
    page.link("start", "Back to the tasks", ":material/arrow_back:")


# Imports under way


def _watch() -> bool:
    """Imports that are under way, or ended while this session looked; whether one of them is this session's own."""
    watched: list[str] = state.note(WATCHED, [])
    for job in jobs.list_jobs(state.home() / "jobs"):
        if job.kind == IMPORT_KIND and not jobs.status(job).terminal and str(job.folder) not in watched:
            watched = [*watched, str(job.folder)]
    state.set_note(WATCHED, watched)
    mine = False
    for folder in watched:
        try:
            job = jobs.load(Path(folder))
        except WorkbenchError:
            _forget(folder)
            continue
        mine = _draw_import(job) or mine
    return mine


def _draw_import(job: Job) -> bool:
    """One import; whether it is the one that this session waits for."""
    wanted, folder = tasks.request_from(job.spec), str(job.folder)
    mine = folder == state.note(ASKED)
    ended = jobs.status(job).state
    if ended == "done":
        _forget(folder)
        if mine:
            state.set_note(ASKED, None)
            _open(wanted.task)
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/check: **{page.escape(wanted.title)}** is imported.", width="content")
            if st.button("Open this task", key=f"open {job.id}"):
                _open(wanted.task)
        return False
    st.subheader(page.escape(wanted.title), anchor=False)
    waiting.wait_for(job, f"Import of {page.escape(_source_words(wanted))}", lambda: _again(wanted))
    if ended in ("failed", "cancelled"):
        if st.button("Bring something else", key=f"forget {job.id}", icon=":material/arrow_back:"):
            _forget(folder)
            st.rerun()
    else:
        st.caption("This goes on when the page is closed; its address leads back to it.")
    return mine


def _open(name: str) -> None:
    state.set_task(name)
    labeled = state.open_task(name).available_labels().any()
    state.set_note("task.part", "check" if labeled else "label")
    page.go("task")


def _forget(folder: str) -> None:
    state.set_note(WATCHED, [other for other in state.note(WATCHED, []) if other != folder])


def _again(wanted: ImportRequest) -> Job:
    job = tasks.request_import(state.home(), wanted)
    state.queue(job.device)
    return job


# Ways in


def _ways_in() -> None:
    way = st.segmented_control(
        "Where are your images?",
        list(WAYS),
        format_func=WAYS.__getitem__,
        required=True,
        **state.bound("import way", state.note("import.way", "files"), lambda way: state.set_note("import.way", way)),
    )
    number = state.note(ROUND, 0)
    if way == "files":
        dropped = st.file_uploader(
            "A ZIP with a folder for each class, a CSV with its images, or single images",
            accept_multiple_files=True,
            max_upload_size=UPLOAD_MEGABYTES,
            key=f"import files {number}",
        )
        _take_up(dropped)
    elif way == "folder":
        dropped = st.file_uploader(
            "A folder with a folder for each class, or with a table of its images",
            accept_multiple_files="directory",
            max_upload_size=UPLOAD_MEGABYTES,
            key=f"import folder {number}",
        )
        _take_up(dropped)
    elif way == "server":
        _server_folder()
    else:
        _public_set()
    _what_is_read()


def _what_is_read() -> None:
    known = st.expander("What is understood", on_change="rerun", key="import help")
    if not known.open:
        return
    rows = [
        ("Folders by class", "cat/1.jpg, dog/7.png"),
        ("Folders by split", "train/cat/1.jpg, test/cat/2.jpg"),
        ("Few labels", "labeled/cat/1.jpg, unlabeled/2.jpg"),
        (
            "A table and images",
            "a CSV, TSV or Parquet with a column of file names and one of labels; empty = unlabeled",
        ),
        ("Images alone", "no folders, no table: you label them here"),
        (
            "Known downloads",
            "CIFAR-10, CUB-200-2011, NABirds, Oxford Pets, Stanford Dogs, EuroSAT, ISIC 2018, ChestX-ray14",
        ),
        ("Formats", "JPEG, PNG, WebP, TIFF (also 16 bits and many channels), BMP, GIF, DICOM"),
    ]
    known.table(
        pd.DataFrame(rows, columns=["You have", "It looks like"]), hide_index=True, alt="Layouts that are understood"
    )


def _take_up(dropped: Sequence[Any]) -> None:
    """Keep what was dropped and look at it; the uploader is emptied, so that it holds no memory."""
    if not dropped:
        return
    with st.spinner("Keeping what you dropped"):
        try:
            brought = _keep(dropped)
        except WorkbenchError as error:
            st.error(page.escape(str(error)), icon=":material/error:")
            return
    state.set_note(BROUGHT, brought)
    state.set_note(ROUND, state.note(ROUND, 0) + 1)
    st.rerun()


def _keep(dropped: Sequence[Any]) -> dict[str, str]:
    """The source, and where its images lie if a table and an archive came together."""
    home = state.home()
    of_kind = [[d for d in dropped if d.name.lower().endswith(kind)] for kind in (TABLES, ARCHIVES)]
    if len(dropped) == 2 and all(len(found) == 1 for found in of_kind):
        table, archive = (tasks.keep_upload([(found[0].name, found[0])], home) for found in of_kind)
        return {"source": table, "images": archive, "title": _stem(tasks.upload_title(archive))}
    source = tasks.keep_upload([(item.name, item) for item in dropped], home)
    title = tasks.upload_title(source)
    loose = len(dropped) > 1 and all("/" not in item.name for item in dropped)
    return {"source": source, "title": "My images" if loose else _stem(title)}


def _stem(name: str) -> str:
    """A first title from a file's name: "Leaves_2026.tar.gz" -> "Leaves 2026"."""
    plain = name.rstrip("/").rsplit("/", 1)[-1]
    for suffix in sorted((*ARCHIVES, *TABLES), key=len, reverse=True):
        if plain.lower().endswith(suffix):
            plain = plain[: -len(suffix)]
            break
    return tasks.clean_text(plain.replace("_", " ")) or "My images"


def _server_folder() -> None:
    offered = tasks.offered_sources(state.home())
    if not offered:
        st.info(
            "This server may not import from its own folders yet. Whoever runs it names some in "
            f'{page.escape(str(state.home() / tasks.SETTINGS_FILE))}, such as \\{{"import": \\{{"roots": '
            '\\["/data"\\]\\}\\}. Until then, drop a ZIP or a folder.',
            icon=":material/folder_off:",
        )
        return
    path = st.selectbox(
        "A folder, archive or table of the server",
        offered,
        index=None,
        accept_new_options=True,
        placeholder="Choose one, or write its path",
        help="Images are read where they lie; nothing is copied.",
    )
    pictures = st.text_input(
        "Where its images lie, if it is a table and they lie elsewhere", placeholder="such as /data/images"
    )
    if st.button("Look at it", type="primary", icon=":material/search:", disabled=not path):
        try:
            for named in filter(None, (str(path), pictures.strip())):
                tasks.check_allowed(named, state.home())
        except WorkbenchError as error:
            st.error(page.escape(str(error)), icon=":material/error:")
            return
        brought = {"source": str(path), "images": pictures.strip(), "title": _stem(str(path))}
        state.set_note(BROUGHT, brought)
        st.rerun()


def _public_set() -> None:
    name = st.selectbox(
        "Data set of torchvision",
        sorted(TORCHVISION_SETS),
        index=None,
        placeholder="Choose one",
        help="It is downloaded to this server, once, which needs internet.",
    )
    if name is None:
        return
    st.caption("It is downloaded to this server; teachers that learned from the same images are then refused.")
    _make(ImportRequest(source=f"torchvision:{name}", title=name), _title(name), possible=True)


# What was recognized


def _proposal(brought: ImportRequest) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/folder_zip: **{page.escape(_source_words(brought))}**", width="content")
        if st.button("Bring something else", icon=":material/arrow_back:", type="tertiary"):
            _let_go(brought)
    wanted = replace(brought, columns=_chosen_columns(brought), reading=_chosen_reading(brought))
    try:
        with st.spinner("Looking at the files"):
            found = state.previewed(wanted)
    except WorkbenchError as error:
        st.error(page.escape(str(error)), icon=":material/error:")
        if wanted == brought:
            return
        if st.button("Undo the last choice", icon=":material/undo:"):
            _put_choices(brought, {})
            st.rerun()
        return
    _counts(found)
    _columns(brought, found)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _samples(found)
        _reading(brought, found)
    with right:
        _classes(found)
    _remarks(found)
    classes = _classes_by_hand(found)
    _make(replace(wanted, classes=classes), _title(brought.title), possible=len({*found.classes, *classes}) >= 2)


def _let_go(brought: ImportRequest) -> None:
    for source in (brought.source, brought.images):
        if source.startswith(UPLOAD):
            tasks.remove_upload(source, state.home())
    state.set_note(BROUGHT, None)
    st.rerun()


def _counts(found: Preview) -> None:
    with st.container(border=True):
        st.markdown(f"Read as **{page.escape(found.layout_title)}**")
        labeled = sum(found.classes.values())
        with st.grid(4, min_column_width=130):
            st.metric("Images", f"{found.images:,}")
            st.metric("Classes", f"{len(found.classes):,}")
            st.metric("Labeled", f"{labeled:,}")
            st.metric("Unlabeled", f"{found.unlabeled:,}")
        held = (
            f"{wording.count(found.test, 'image')} held out for the test by the source itself"
            if found.test
            else "About 20 % of the labeled images of each class will be held out for the test"
        )
        if found.groups:
            held += f"; {wording.count(found.groups, 'group')} (patients, sites, videos) stay on one side"
        st.caption(f"{held}. All this can be changed on the next page.")


def _columns(brought: ImportRequest, found: Preview) -> None:
    """Which column of a table is what; a choice is looked at at once."""
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
            options = [*found.all_columns] if key == "path" else [NONE, *found.all_columns]
            st.selectbox(
                title,
                options,
                help=meaning,
                **state.bound(f"import column {key}", used[key] or NONE, _choose(brought, key)),
            )


def _choose(brought: ImportRequest, key: str) -> Any:
    def put(column: str | None) -> None:
        if column is not None:
            chosen = {**state.note(_of(brought, "columns"), {}), key: "" if column == NONE else column}
            state.set_note(_of(brought, "columns"), chosen)

    return put


def _chosen_columns(brought: ImportRequest) -> Columns:
    return Columns(**state.note(_of(brought, "columns"), {}))


def _put_choices(brought: ImportRequest, columns: dict[str, str]) -> None:
    state.set_note(_of(brought, "columns"), columns)
    state.set_note(_of(brought, "channels"), None)


def _of(brought: ImportRequest, what: str) -> str:
    return f"import.{what} {brought.source}"


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
            st.caption(f":material/warning: {page.escape(sample.problem)}")
    steps = list(dict.fromkeys(step for sample in shown for step in sample.steps))
    if steps:
        st.caption(f":material/palette: To make them RGB: {page.escape('; '.join(steps))}.")


def _reading(brought: ImportRequest, found: Preview) -> None:
    """The channels that become red, green and blue, where there are more than four."""
    most = max((sample.channels for sample in found.samples), default=3)
    if most <= 3:
        return
    chosen = state.note(_of(brought, "channels")) or [1, 2, 3]
    st.markdown(f"**{most} channels**: which are shown as red, green and blue?")
    with st.grid(3, min_column_width=90):
        for place, color in enumerate(("Red", "Green", "Blue")):
            st.selectbox(
                color,
                range(1, most + 1),
                **state.bound(f"import {color}", chosen[place], _choose_channel(brought, chosen, place)),
            )


def _choose_channel(brought: ImportRequest, chosen: Sequence[int], place: int) -> Any:
    def put(channel: int | None) -> None:
        if channel is not None:
            state.set_note(_of(brought, "channels"), [*chosen[:place], channel, *chosen[place + 1 :]])

    return put


def _chosen_reading(brought: ImportRequest) -> Reading | None:
    channels = state.note(_of(brought, "channels"))
    return Reading(channels=tuple(channels)) if channels else None


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


def _remarks(found: Preview) -> None:
    for note in found.notes:
        st.caption(f":material/info: {page.escape(note)}")
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


# Making it


def _title(proposed: str) -> str:
    return st.text_input(
        "Name of the task",
        value=_free(proposed),
        max_chars=200,
        key=f"import title {proposed}",
        width=480,
        help="As you want to see it, in any script.",
    )


def _free(title: str) -> str:
    """The title, with a number behind it where a task has its name already and a small number helps."""
    taken = tasks.task_names(state.home())
    numbered = [title, *(f"{title} {number}" for number in range(2, 100))]
    return next((found for found in numbered if tasks.task_name(found) not in taken), title)


def _make(wanted: ImportRequest, title: str, *, possible: bool) -> None:
    """The button that makes the task, and why it cannot be pressed."""
    problem = "" if tasks.clean_text(title) else "Give the task a name."
    if not problem:
        wanted = replace(wanted, title=tasks.clean_text(title))
        try:
            tasks.check_task_name(wanted.task, tasks.task_names(state.home()))
        except WorkbenchError as error:
            problem = str(error)
        else:
            st.caption(f"Folders and commands call it {page.escape(wanted.task)}.")
    if problem:
        st.warning(page.escape(problem), icon=":material/edit:")
    if st.button(
        "Make this task", type="primary", icon=":material/arrow_forward:", disabled=bool(problem) or not possible
    ):
        try:
            job = _again(wanted)
        except WorkbenchError as error:
            st.error(page.escape(str(error)), icon=":material/error:")
            return
        state.set_note(ASKED, str(job.folder))
        state.set_note(WATCHED, [*state.note(WATCHED, []), str(job.folder)])
        state.set_note(BROUGHT, None)
        st.rerun()


def _source_words(wanted: ImportRequest) -> str:
    parts = [
        tasks.upload_title(source) if source.startswith(UPLOAD) else source
        for source in (wanted.source, wanted.images)
        if source
    ]
    return wording.listed(parts)


if __name__ == "__main__":
    render()
