"""Atomic writes and plain reads. Every file of the workspace is written here, or through `replacing`."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.errors import DamagedFileError, FullDiskError, InvalidInputError, StorageError

TEMPORARY_PREFIX = ".tmp-"  # a file or folder so named is a write that never finished, and may be removed
_LEFT_BEHIND = ".tmp"  # also what safetensors itself leaves of a write, such as .tmp4rnXbh


def storage_error(error: OSError, path: Path, needed: int | None = None) -> StorageError:
    """The sentence for an operating system's refusal to read or write `path`. needed: its bytes, if they are known."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        room = f", which takes {in_words(needed)} while {_free(path)}" if needed else ""
        return FullDiskError(
            f"No space left while writing {path}{room}: free some space on that disk, then start again.", path, needed
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(
            f"{path} may not be written or read by this user: "
            "change its permissions, or set WORKBENCH_HOME to a folder that you own."
        )
    return StorageError(f"{path} could not be written or read ({error.strerror or error}).")


def in_words(count: int) -> str:
    """A number of bytes in words."""
    if count >= 10_000_000_000:
        return f"{count / 1e9:,.1f} GB"
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count:,} bytes"


def _free(path: Path) -> str:
    """How much room is left beside `path`, in words."""
    try:
        return f"{in_words(shutil.disk_usage(path.parent).free)} are free"
    except OSError:
        return "nobody knows how much is free"


def make_folder(path: Path) -> Path:
    """Create `path` and its parents if they are not there, and return it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error
    return path


@contextmanager
def replacing(path: Path, *, needed: int | None = None) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; on success it is flushed to disk and takes the place of `path`.

    needed: bytes that will be written, for the sentence about a full disk. Raises StorageError if the disk refuses. If
    the body raises, `path` stays as it was.
    """
    make_folder(path.parent)
    temporary = path.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}-{path.name}"
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        refused = storage_error(error, path, needed)
        if isinstance(refused, FullDiskError) and needed is None:
            refused.needed = _written(temporary)
        raise refused from error
    finally:
        with suppress(OSError):  # whatever refuses here must not hide the first error
            temporary.unlink(missing_ok=True)


def _written(temporary: Path) -> int | None:
    """How many bytes came to lie in a file before the disk was full: at least so many are needed."""
    try:
        return temporary.stat().st_size or None
    except OSError:
        return None


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; on success it is renamed to `path`, which must not be there yet.

    When somebody else made `path` in the meantime, theirs is kept. Raises StorageError if the disk refuses.
    """
    make_folder(path.parent)
    temporary = path.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}-{path.name}"
    try:
        temporary.mkdir()
        yield temporary
        for inner in temporary.rglob("*"):
            if inner.is_dir():
                _flush_folder(inner)
            else:
                _flush(inner)
        _flush_folder(temporary)
        try:
            os.rename(temporary, path)
        except OSError:
            if not path.is_dir():
                raise
        _flush_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_folder(folder: Path, path: Path) -> bool:
    """Flush a finished folder to disk and rename it to `path`; False, with the folder left, if `path` is taken.

    Raises StorageError if the disk refuses.
    """
    make_folder(path.parent)
    try:
        for inner in folder.rglob("*"):
            if inner.is_dir():
                _flush_folder(inner)
            else:
                _flush(inner)
        _flush_folder(folder)
        os.rename(folder, path)
        _flush_folder(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise storage_error(error, path) from error
    return True


def make_own(path: Path) -> None:
    """Prepare a file for being written in place: where it is a link, as in a demo's scratch, a copy takes its place, so
    that what it leads to stays as it is. Raises StorageError.
    """
    if path.is_symlink():
        with replacing(path) as temporary:
            shutil.copyfile(path, temporary)


def remove_temporary(folder: Path, *, older_than: float) -> None:
    """Remove what writes that never finished left directly in `folder`, if it is `older_than` seconds old."""
    latest = time.time() - older_than
    try:
        left = [path for path in folder.iterdir() if path.name.startswith(_LEFT_BEHIND)]
    except OSError:  # tidying up is never worth an error
        return
    for path in left:
        try:
            if path.stat().st_mtime > latest:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        except OSError:
            continue


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON atomically. Raises ValueError for NaN and infinities, and as `as_utf8`."""
    write_bytes(path, as_utf8(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"))


def as_utf8(text: str) -> bytes:
    """The bytes of a text. Raises InvalidInputError for one that has none: the name of a file that is not UTF-8."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        name = ascii(text[max(0, error.start - 40) : error.end + 40])
        raise InvalidInputError(f"{name} is not UTF-8: give that file or folder another name first.") from None


def expanded(path: str | Path) -> Path:
    """A path as a user writes it, with "~" spelled out. Raises InvalidInputError for the home of nobody known here."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidInputError(
            f"{str(path)[:120]!r} begins with the home of a user that this machine does not know: write the whole path."
        ) from None


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises DamagedFileError if it is not JSON, StorageError if it cannot be read."""
    try:
        return json_value(path.read_bytes())
    except OSError as error:
        raise storage_error(error, path) from error
    except ValueError as error:
        raise DamagedFileError(
            f"{path} is not valid JSON ({error}): restore it, or remove it to start anew."
        ) from error


DEEPEST_JSON = 32  # lists and objects within each other; no file of ours has ten
LARGEST_NUMBER = 2**63  # of a whole number: what tables and databases hold


def json_value(content: bytes) -> Any:
    """The JSON value in `content`. Raises ValueError for what is not JSON, and for what readers of JSON disagree on:
    NaN, infinities, huge numbers, a name that comes twice, half a surrogate pair, thousands of lists in each other.
    """
    try:
        value = json.loads(
            content.removeprefix(b"\xef\xbb\xbf").decode(),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
        )
        deep = _is_deeper(value, DEEPEST_JSON)
    except RecursionError:
        deep = True
    if deep:
        raise ValueError("it is nested too deep")
    if b"\\u" in content and any("\ud800" <= sign <= "\udfff" for sign in json.dumps(value, ensure_ascii=False)):
        raise ValueError("it holds half a sign")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"{next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))!r} comes twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _integer(text: str) -> int:
    if len(text) > 20 or not -LARGEST_NUMBER <= int(text) < LARGEST_NUMBER:
        raise ValueError(f"{text[:24]} is too large a number")
    return int(text)


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(inner) and (levels == 0 or any(_is_deeper(each, levels - 1) for each in inner))


def canonical_hash(value: Any, length: int = 12) -> str:
    """First `length` hexadecimal digits of the SHA-256 of `value` as JSON with sorted keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal. Raises StorageError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise storage_error(error, path) from error


def _flush(file: Path) -> None:
    """Force a file's content to disk."""
    descriptor = os.open(file, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # Windows flushes only what it may write
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Force a folder's list of names to disk, where the system can: Windows and some network disks cannot."""
    if os.name == "nt":
        return
    try:
        _flush(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
