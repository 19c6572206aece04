"""Import: the ways in, by which images come from where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.components.escaping import escape
from app.views.importing import brought, make
from app.views.importing.draft import ImportDraft
from app.visitor_cookie import is_demo
from app.visitors import upload_megabytes
from engine import intake, tasks
from engine.errors import WorkbenchError
from engine.intake import ARCHIVE_SUFFIXES, SINGLE_TABLES, TORCHVISION_SETS, ImportRequest

WAYS = {
    "files": ":material/upload_file: Drop files",
    "folder": ":material/drive_folder_upload: Drop a folder",
    "server": ":material/dns: On the server",
    "public": ":material/public: Public data set",
}
UPLOAD_MEGABYTES = 1000  # an upload lies in the server's memory until it is kept
CLOSED_TO_VISITORS = ("server", "public")  # of a demo: the server's own files, and downloads onto it
TEXT_TABLES = (".csv", ".tsv", ".jsonl")


def draw() -> None:
    """The ways, and what of each is understood."""
    draft = ImportDraft.current()
    way = st.segmented_control(
        "Where are your images?",
        [way for way in WAYS if way not in CLOSED_TO_VISITORS or not is_demo()],
        format_func=WAYS.__getitem__,
        required=True,
        **state.bound("import way", draft.way, draft.put("way")),
    )
    if way == "files":
        dropped = st.file_uploader(
            "A ZIP with a folder for each class, a CSV with its images, or single images",
            accept_multiple_files=True,
            max_upload_size=upload_megabytes(UPLOAD_MEGABYTES),
            key=f"import files {draft.round}",
        )
        _take_up(dropped)
    elif way == "folder":
        dropped = st.file_uploader(
            "A folder with a folder for each class, or with a table of its images",
            accept_multiple_files="directory",
            max_upload_size=upload_megabytes(UPLOAD_MEGABYTES),
            key=f"import folder {draft.round}",
        )
        _take_up(dropped)
    elif way == "server":
        _server_folder()
    else:
        _public_set()
    _what_is_read()


def _what_is_read() -> None:
    known = st.expander("What is understood", expanded=True, on_change="rerun", key="import help")
    if not known.open:
        return
    rows = [
        ("Folders by class", "cat/1.jpg, dog/7.png"),
        ("Folders by split", "train/cat/1.jpg, test/cat/2.jpg"),
        ("Few labels", "labeled/cat/1.jpg, unlabeled/2.jpg"),
        (
            "A table and images",
            "a CSV, TSV, JSON lines or Parquet with a column of file names and one of labels; empty = unlabeled",
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
    """Keep what was dropped and read it; the uploader is emptied, so that it holds no memory."""
    if not dropped:
        return
    with st.spinner("Keeping what you dropped"):
        try:
            kept = _keep(dropped)
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
    brought.bring(*kept)
    ImportDraft.current().round += 1
    st.rerun()


def _keep(dropped: Sequence[Any]) -> tuple[str, str, str]:
    """The source, where its images lie if a table and an archive came together, and a first title."""
    workspace = state.workspace()
    of_kind = [[d for d in dropped if d.name.lower().endswith(kind)] for kind in (SINGLE_TABLES, ARCHIVE_SUFFIXES)]
    if len(dropped) == 2 and all(len(found) == 1 for found in of_kind):
        table, archive = (intake.keep_upload(workspace, [(found[0].name, found[0])]) for found in of_kind)
        return table, archive, _stem(intake.upload_title(archive))
    source = intake.keep_upload(workspace, [(item.name, item) for item in dropped])
    title = intake.upload_title(source)
    loose = len(dropped) > 1 and all("/" not in item.name for item in dropped)
    return source, "", "My images" if loose else _stem(title)


def _stem(name: str) -> str:
    """A first title from a file's name: "Leaves_2026.tar.gz" -> "Leaves 2026"."""
    plain = name.rstrip("/").rsplit("/", 1)[-1]
    for suffix in sorted((*ARCHIVE_SUFFIXES, *SINGLE_TABLES), key=len, reverse=True):
        if plain.lower().endswith(suffix):
            plain = plain[: -len(suffix)]
            break
    return tasks.clean_text(plain.replace("_", " ")) or "My images"


def _server_folder() -> None:
    offered = intake.offered_sources(state.workspace())
    if not offered:
        st.info(
            "This server may not import from its own folders yet. Whoever runs it names some in "
            f'{escape(str(state.workspace().settings))}, such as \\{{"import": \\{{"roots": '
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
        help="Whether its images are copied or read where they lie is asked next.",
    )
    pictures = st.text_input(
        "Where its images lie, if it is a table and they lie elsewhere", placeholder="such as /data/images"
    )
    if st.button("Read it", type="primary", icon=":material/search:", disabled=not path) and path:
        try:
            for named in filter(None, (path, pictures.strip())):
                intake.check_allowed(state.workspace(), named)
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
        table = path.lower().endswith(TEXT_TABLES)  # called labels.csv, whatever its images are
        brought.bring(path, pictures.strip(), _stem(path.rpartition("/")[0] if table else path))
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
    wanted = ImportRequest(source=f"torchvision:{name}", title=name)
    make.draw(wanted, possible=True)
