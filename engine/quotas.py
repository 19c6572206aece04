"""What one visitor of a demo may take up. Each refusal is a sentence with the way out; a workspace of one's own has
none of these limits.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.errors import QuotaError
from engine.files import TEMPORARY_PREFIX, in_words
from engine.settings import demo_settings
from engine.workspace import Workspace

_BROUGHT = ("uploads", "tasks")  # folders of what visitors bring, as it came and as it was taken in


def used_bytes(workspace: Workspace) -> int:
    """How many bytes of the disk the files of a scratch take; what it has from its base takes none."""
    return sum(found.st_blocks * 512 for found in _own_files(workspace.path))


def check_jobs(workspace: Workspace, unfinished: int, more: int) -> None:
    """Raises QuotaError if the visitor of a scratch, who has so many jobs that wait or run, may not ask for `more`."""
    limits = demo_settings(workspace)
    if unfinished + more > limits.jobs:
        asked = "" if more == 1 else f", you ask for {more} more"
        raise QuotaError(
            f"{unfinished} of your jobs wait or run{asked}, and this demo allows {limits.jobs} at once: ask for less, "
            "wait until some have ended, or cancel some."
        )
    _check_room(workspace, 0)


def check_upload(workspace: Workspace, size: int) -> None:
    """Raises QuotaError if a visitor may not bring so many bytes more."""
    if workspace.base is None:
        return
    limits = demo_settings(workspace)
    if size > limits.upload_bytes:
        raise QuotaError(
            f"{in_words(size)} are more than the {in_words(limits.upload_bytes)} that this demo takes at once: bring "
            "fewer images, or smaller ones."
        )
    brought = sum(1 for kind in _BROUGHT for path in (workspace.path / kind).glob("[!.]*") if not is_lent(path))
    if brought >= limits.uploads:
        raise QuotaError(
            f"You have brought {brought} times, and this demo allows {limits.uploads}: remove a task that you do not "
            "need any more."
        )
    _check_room(workspace, size)


def size_of(content: IO[bytes]) -> int:
    """How many bytes an upload has from here on; it is read as before."""
    place = content.seek(0, os.SEEK_CUR)
    try:
        return content.seek(0, os.SEEK_END) - place
    finally:
        content.seek(place)


def is_lent(path: Path) -> bool:
    """Whether a file or folder of a scratch came with it: folders are its own, their files links into the base."""
    if path.is_symlink() or not path.is_dir():
        return path.is_symlink()
    with os.scandir(path) as entries:
        return any(entry.is_symlink() for entry in entries)


def _check_room(workspace: Workspace, more: int) -> None:
    limits, used = demo_settings(workspace), used_bytes(workspace)
    if used + more > limits.disk_bytes:
        raise QuotaError(
            f"Your part of this demo holds {in_words(used)} of the {in_words(limits.disk_bytes)} that a visitor may "
            "have: remove tasks or runs of yours, and empty the trash, before you ask for more."
        )


def _own_files(folder: Path) -> Iterator[os.stat_result]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(TEMPORARY_PREFIX)]
        for name in names:
            try:
                found = os.lstat(os.path.join(place, name))
            except FileNotFoundError:  # removed in the meantime
                continue
            if stat.S_ISREG(found.st_mode):
                yield found
