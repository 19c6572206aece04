"""Records: the JSON files of the workspace, read through types that say what each field must be.

Whatever is wrong with a file ends in one sentence that names what it holds, the file, the reason and the way out. What
a later version added is passed over, and what an earlier version lacks has its default, so that the files of both are
read. A record is written with a seal, a hash of its other fields, so that a value that was changed is noticed and not
taken for what the program decided; a record without one is of version 0.1, or was written by hand.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import canonical_hash, json_value, storage_error, write_json

T = TypeVar("T")
SEAL = "seal"  # the field that holds it
SEAL_LENGTH = 16  # hexadecimal digits

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]  # with its time zone
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]
Share: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
Revision: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{12})?\Z")]  # a hash; "" = none

_WHERE = re.compile(r"(?P<reason>.*?)(?: - at `(?:key in )?\$\.?(?P<field>.*)`)?", re.DOTALL)


def read_record(path: Path, kind: type[T], what: str, way_out: str) -> T:
    """The record in a file, as `kind`: a dataclass or a TypedDict. what: what the file holds, such as "task 'leaves'".

    Raises DamagedFileError if the file is gone, is no such record, or does not match its seal; StorageError if it
    cannot be read.
    """
    return record_from(read_value(path, what, way_out), kind, path, what, way_out)


REMEMBERED = 8192  # values of files; a few KB each


def remembered(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """`read` of a file, done again only when the file was replaced or changed since: a page looks through a thousand
    runs at every poll. Nobody may change what it gives. Raises as `read`, which is then asked again the next time.
    """

    @lru_cache(maxsize=REMEMBERED)
    def known(path: Path, *_stamps: int) -> T:
        return read(path)

    def present(path: Path) -> T:
        try:
            now = os.stat(path)
        except OSError:
            return read(path)  # which says what is wrong
        return known(path, now.st_ino, now.st_mtime_ns, now.st_size)

    return present


def read_value(path: Path, what: str, way_out: str) -> Any:
    """The JSON value of a record, without its seal, not yet looked at. Raises as `read_record`."""
    try:
        value = json_value(path.read_bytes())
    except FileNotFoundError as error:
        raise DamagedFileError(f"{path} is gone, and with it {what}: {way_out}.") from error
    except OSError as error:
        raise storage_error(error, path) from error
    except ValueError as error:
        raise damaged(path, what, str(error), way_out) from error
    if not isinstance(value, dict) or SEAL not in value:
        return value
    fields = {name: inner for name, inner in value.items() if name != SEAL}
    if canonical_hash(fields, SEAL_LENGTH) != value[SEAL]:
        accept = f'or remove its line "{SEAL}" to take it as it is now'
        raise damaged(path, what, "it is no longer what was written", f"{way_out}, {accept}")
    return fields


def record_from(value: Any, kind: type[T], path: Path, what: str, way_out: str) -> T:
    """The record in a JSON value that lies in `path`. Raises DamagedFileError."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, InvalidInputError) as error:  # the latter: what a record says of itself
        found = _WHERE.fullmatch(str(error))
        reason, field = (found["reason"], found["field"]) if found else (str(error), None)
        reason = reason.replace("`", "")
        raise damaged(path, what, f"{field}: {reason}" if field else reason, way_out) from error


def damaged(path: Path, what: str, reason: str, way_out: str) -> DamagedFileError:
    """The sentence about a file that does not hold what it should."""
    return DamagedFileError(f"{path} is damaged, and with it {what} ({reason}): {way_out}.")


def as_value(record: Any) -> Any:
    """The JSON value of a record."""
    return msgspec.to_builtins(record)


def write_record(path: Path, record: Any) -> None:
    """Write a record with its seal, atomically. Raises StorageError."""
    value = as_value(record)
    write_json(path, {**value, SEAL: canonical_hash(value, SEAL_LENGTH)})
