"""Imports as jobs: what the app may import, how it is asked for, and what the worker does."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from engine.errors import InvalidInputError
from engine.files import expanded
from engine.intake.ingest import import_images
from engine.intake.layouts.torchvision_sets import PREFIX as TORCHVISION
from engine.intake.request import ARCHIVE_SUFFIXES, UPLOAD, ImportRequest, request_as_json, request_from, with_name
from engine.intake.tables import TABLE_SUFFIXES
from engine.intake.uploads import upload_path
from engine.jobs import IMPORT, Job, Reporter, request
from engine.settings import allowed_root, import_settings
from engine.tasks.catalogue import task_names
from engine.tasks.names import check_task_name
from engine.workspace import Workspace

KIND = "import"


def request_import(workspace: Workspace, wanted: ImportRequest) -> Job:
    """Queue an import, in a lane of its own. Asking twice gives the same job; one that was stopped goes on.

    Raises InvalidInputError for a name that is taken, or a source outside of the allow-listed roots.
    """
    wanted = with_name(wanted)
    check_task_name(wanted.task, task_names(workspace))
    wanted = check_source(workspace, wanted)
    return request(
        workspace.jobs, f"import-{wanted.task}", kind=KIND, spec=request_as_json(wanted), device="cpu", lane=IMPORT
    )


def check_source(workspace: Workspace, wanted: ImportRequest) -> ImportRequest:
    """The request, if the app may import it: an upload, a data set by name, or a folder in an allow-listed root, whose
    path is then written out, so that what is read is what was checked.

    Raises InvalidInputError, UnknownNameError, UnavailableError for what is closed to visitors of a demo.
    """
    return replace(
        wanted,
        source=_checked(workspace, wanted.source),
        images=_checked(workspace, wanted.images) if wanted.images else "",
    )


def _checked(workspace: Workspace, source: str) -> str:
    if source.startswith(UPLOAD):
        upload_path(workspace, source)
    elif source.startswith(TORCHVISION):
        workspace.refuse_visitors("Downloading a data set", "upload images of yours, or use a task that is here")
    else:
        return str(check_allowed(workspace, source))
    return source


def check_allowed(workspace: Workspace, path: str) -> Path:
    """A path of the server that lies in an allow-listed root, links followed; absolute, with "~" spelled out. Raises
    InvalidInputError otherwise, UnavailableError for a visitor of a demo.
    """
    workspace.refuse_visitors("Reading files of the server", "upload the images instead")
    settings = import_settings(workspace)
    place = expanded(path).absolute() if "\0" not in path else None
    if place is None or allowed_root(place, settings) is None:
        roots = ", ".join(settings.roots) or "none is set"
        raise InvalidInputError(
            f"{path!r} lies in no folder that this server may import from ({roots}): choose one that does, or "
            f'add it to "roots" under "import" in {workspace.settings}.'
        )
    return place


def offered_sources(workspace: Workspace) -> list[str]:
    """Paths of the server to choose from: the allow-listed roots, and folders, archives and tables right in them."""
    offered: list[str] = []
    for root in import_settings(workspace).roots:
        offered.append(root)
        with suppress(OSError):
            inner = sorted(entry.path for entry in os.scandir(root) if _may_be_a_source(entry))
            offered += inner[:_OFFERED]
    return offered


def _may_be_a_source(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    return entry.is_dir() or entry.name.lower().endswith((*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES))


_OFFERED = 200  # of one root


def execute_import(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    wanted = check_source(workspace, request_from(job.spec))

    def progress(done: int, total: int, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total or None, "images", stage)

    import_images(workspace, wanted, progress=progress)
