"""events.jsonl: what a job told while it worked, one JSON object a line. The one file of the workspace that grows."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from engine import files
from engine.errors import DamagedFileError
from engine.jobs.records import EVENTS_FILE, Job


@dataclass(frozen=True)
class EventPage:
    """Events read in one go.

    offset: give it as `after` the next time, to get only what has come since.
    restarted: the file was cut since `after` was given, so `events` begins with the first one again; drop older ones.
    """

    events: list[dict[str, Any]]
    offset: int
    restarted: bool = False


def read_events(job: Job, after: int = 0) -> EventPage:
    """Events of `job` that begin at byte `after`; a last line that is not whole yet (or was torn) is left for later.

    A cut is noticed when `after` is not the beginning of a line any more; since a worker may have written past it
    again, also read from 0 whenever `Status.attempts` has changed.
    Raises DamagedFileError for a whole line that is not a JSON object, StorageError if the file cannot be read.
    """
    path = job.folder / EVENTS_FILE
    try:
        if path.stat().st_size == after:  # the usual answer to a poll
            return EventPage([], after)
        with path.open("rb") as file:
            start = after if _begins_line(file, after) else 0
            file.seek(start)
            content = file.read()
    except FileNotFoundError:
        return EventPage([], 0, restarted=after > 0)
    except OSError as error:
        raise files.storage_error(error, path) from error
    whole = content[: content.rfind(b"\n") + 1]
    events = []
    offset = start
    for line in whole.splitlines(keepends=True):
        events.append(_parsed(path, offset, line))
        offset += len(line)
    return EventPage(events, offset, restarted=start != after)


def replace_events(job: Job, events: Sequence[Mapping[str, Any]]) -> None:
    """Let the file hold these events and no others, in one step: those that a checkpoint knows of.

    Whatever has become of the file, the job can go on. A worker uses `Reporter.replace_events`. Raises StorageError.
    """
    path = job.folder / EVENTS_FILE
    content = b"".join(map(_line, events))
    if content != _content(path):
        files.write_bytes(path, content)


def append_event(job: Job, fields: Mapping[str, Any]) -> None:
    """Append one event. A number that is not finite is written as null, since JSON has none.

    When the disk refuses, nothing of the event stays in the file, and StorageError is raised.
    """
    line = _line(fields)
    path = job.folder / EVENTS_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            _append(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise files.storage_error(error, path) from error


def repair_events(job: Job) -> None:
    """Cut a torn last line, so that the next event begins a line. Raises StorageError."""
    path = job.folder / EVENTS_FILE
    content = _content(path)
    whole = content.rfind(b"\n") + 1
    try:
        if whole < len(content):
            os.truncate(path, whole)
    except OSError as error:
        raise files.storage_error(error, path) from error


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(_finite(dict(fields)), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _append(descriptor: int, line: bytes) -> None:
    before = os.fstat(descriptor).st_size
    try:
        rest = line
        while rest:  # a write onto a nearly full disk may take only a part
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise files.storage_error(error, path) from error


def _begins_line(file: BinaryIO, offset: int) -> bool:
    """Whether a line begins at `offset`, so that reading may go on from there."""
    if offset <= 0:
        return offset == 0
    file.seek(offset - 1)
    return file.read(1) == b"\n"


def _parsed(path: Path, offset: int, line: bytes) -> dict[str, Any]:
    try:
        event = files.json_value(line)
        if not isinstance(event, dict):
            raise ValueError("it is not an object")
    except ValueError as error:
        shown = line[:60].decode(errors="replace").strip()
        raise DamagedFileError(
            f"{path} is damaged at byte {offset}: {shown!r} is not an event ({error}); remove that line."
        ) from error
    return event


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
