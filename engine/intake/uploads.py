"""What users drop in the browser, kept in the workspace until it is imported. A dropped name is never a path."""

from __future__ import annotations

import re
import shutil
import time
import unicodedata
import uuid
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from engine.errors import InvalidInputError, UnknownNameError
from engine.files import TEMPORARY_PREFIX, make_folder, replacing
from engine.intake.request import SINGLE_TABLES, TAR_SUFFIXES, UPLOAD
from engine.quotas import check_upload, size_of
from engine.settings import ImportSettings, import_settings
from engine.tasks.names import clean_identifier, clean_text
from engine.workspace import Workspace

KEPT_DAYS = 2.0  # an upload that nobody imported
_KEPT_AS = (".zip", ".tar", *SINGLE_TABLES)
_ID = re.compile(rf"[0-9a-f]{{32}}({'|'.join(map(re.escape, _KEPT_AS))})?")
_CHUNK = 1 << 20


def keep_upload(workspace: Workspace, files: Iterable[tuple[str, IO[bytes]]]) -> str:
    """Keep dropped files (name as the browser gives it, content) and give the source to import: "upload:<id> <title>".

    The title is what the user sees of it, and never a path.

    One archive or table is kept as it is; anything else (a folder, single images) becomes one archive. Raises
    InvalidInputError for nothing, or for more than the setting upload_bytes.
    """
    settings = import_settings(workspace)
    folder = make_folder(workspace.uploads)
    remove_old_uploads(workspace)
    dropped = list(files)
    if not dropped:
        raise InvalidInputError("Nothing was dropped: choose a ZIP, a folder or a table.")
    check_upload(workspace, sum(size_of(content) for _, content in dropped))
    if len(dropped) > settings.archive_entries:
        raise InvalidInputError(f"{len(dropped):,} files are more than the {settings.archive_entries:,} allowed.")
    identifier = uuid.uuid4().hex
    if len(dropped) == 1 and (kind := _single_kind(dropped[0][0])):
        identifier += kind
        with replacing(folder / identifier) as temporary, temporary.open("wb") as out:
            _copy(dropped[0][1], out, settings, 0)
    else:
        identifier += ".zip"
        with replacing(folder / identifier) as temporary:
            _pack(dropped, temporary, settings)
    return f"{UPLOAD}{identifier} {_title([name for name, _ in dropped])}".rstrip()


def _title(names: list[str]) -> str:
    """What a message calls dropped files: the one file, or the one folder that holds them all, or their number."""
    first = names[0].replace("\\", "/").strip("/").split("/")
    if len(names) == 1:
        return clean_text(first[-1])
    heads = {name.replace("\\", "/").strip("/").split("/")[0] for name in names}
    return clean_text(first[0]) if len(heads) == 1 else f"{len(names):,} files"


def upload_title(source: str) -> str:
    """What the user calls an upload, such as "leaves.zip"."""
    return source.removeprefix(UPLOAD).partition(" ")[2] or "the upload"


def in_the_users_words(source: str, text: str) -> str:
    """A text about a source, with the upload's title where it says the name under which the upload is kept."""
    identifier = source.removeprefix(UPLOAD).partition(" ")[0]
    return text.replace(identifier, upload_title(source)) if source.startswith(UPLOAD) and identifier else text


def _single_kind(name: str) -> str:
    lower = name.lower()
    if lower.endswith(TAR_SUFFIXES):
        return ".tar"
    return next((suffix for suffix in _KEPT_AS if lower.endswith(suffix)), "")


def _pack(dropped: list[tuple[str, IO[bytes]]], path: Path, settings: ImportSettings) -> None:
    total, used = 0, dict[str, int]()
    outermost = _outermost([name for name, _ in dropped])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, (name, content) in enumerate(dropped):
            parts = clean_identifier(name.replace("\\", "/")).removeprefix(outermost).split("/")
            plain = "/".join(part for part in parts if part not in ("", ".", "..")) or f"file-{number}"
            plain = f"file-{number}/{plain.replace(':', '_')}" if ":" in plain[:2] else plain
            plain = _unused(unicodedata.normalize("NFC", plain), used)
            with archive.open(plain, "w", force_zip64=True) as out:
                total = _copy(content, out, settings, total)


def _unused(name: str, used: dict[str, int]) -> str:
    """The name, or one beside it: files of several folders come with equal names, and their folder is their class.

    used: names that are taken, with the number that the next file of this name tries; the name given is added.
    """
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".") if "." in last[1:] else (last, "", "")
    number, found = used.get(name, 2), name
    while found in used:
        found, number = f"{folder}{slash}{stem} ({number}){dot}{suffix}", number + 1
    used[name] = number
    used.setdefault(found, 2)
    return found


def _outermost(names: list[str]) -> str:
    """The folder that was dropped, which is above all names and says nothing of the images; "" if there is none."""
    heads = {name.partition("/")[0] for name in names}
    return f"{heads.pop()}/" if len(heads) == 1 and all("/" in name for name in names) else ""


def _copy(source: IO[bytes], out: IO[bytes], settings: ImportSettings, before: int) -> int:
    total = before
    while chunk := source.read(_CHUNK):
        total += len(chunk)
        if total > settings.upload_bytes:
            raise InvalidInputError(
                f"More than {settings.upload_bytes:,} bytes were dropped: name a folder of the server, or raise "
                "the setting upload_bytes."
            )
        out.write(chunk)
    return total


def upload_path(workspace: Workspace, source: str) -> Path:
    """The file of an upload. Raises UnknownNameError if it is not there, or no longer."""
    identifier, _, title = source.removeprefix(UPLOAD).partition(" ")
    path = workspace.uploads / identifier
    if not _ID.fullmatch(identifier) or "/" in title or not path.is_file():
        raise UnknownNameError("upload (drop the files again)", identifier[:60], ())
    return path


def remove_upload(workspace: Workspace, source: str) -> None:
    """Forget an upload, if it is there."""
    with suppress(UnknownNameError, OSError):
        upload_path(workspace, source).unlink()


def remove_old_uploads(workspace: Workspace, days: float = KEPT_DAYS) -> None:
    """Forget uploads that nobody imported within some days, and what is left of broken ones."""
    oldest = time.time() - days * 86_400
    for path in workspace.uploads.glob("*"):
        with suppress(OSError):
            if (_ID.fullmatch(path.name) or path.name.startswith(TEMPORARY_PREFIX)) and path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
