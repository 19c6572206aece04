"""The ways in which one file of a workspace can be damaged."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VALUES: dict[str, Any] = {"null": None, "a number": 7, "a text": "x", "a list": [[]], "an object": {"x": []}}
DEEP = b'{"x":' * 5000 + b"1" + b"}" * 5000


@dataclass(frozen=True)
class Way:
    """One way: its name, and what it does to a file."""

    name: str
    damage: Callable[[Path], None]


def ways(path: Path, *, fields: bool = True) -> Iterator[Way]:
    """All ways to damage the file `path`, those of its JSON fields one by one included unless `fields` is False."""
    yield from _OF_ALL
    if path.suffix == ".json":
        yield from _OF_JSON
        value = json.loads(path.read_bytes())
        for places in _fields(value) if fields else ():
            yield Way(f"without {'.'.join(places)}", _changer(places))
            for name, other in VALUES.items():
                yield Way(f"{'.'.join(places)} is {name}", _changer(places, other))
    elif path.suffix == ".jsonl":
        yield from _OF_LINES


def _fields(value: Any, below: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where the fields of an object lie, and those of the objects in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*below, name)
            yield from _fields(inner, (*below, name))


def _changer(places: tuple[str, ...], *other: Any) -> Callable[[Path], None]:
    """What takes a field away, or gives it another value."""

    def change(path: Path) -> None:
        value = json.loads(path.read_bytes())
        inner = value
        for name in places[:-1]:
            inner = inner[name]
        if other:
            inner[places[-1]] = other[0]
        else:
            del inner[places[-1]]
        _write(path, json.dumps(value).encode())

    return change


def _write(path: Path, content: bytes) -> None:
    """Write anew, so that a file that shares its content with another by a hard link leaves that one as it is."""
    path.unlink()
    path.write_bytes(content)


def _of_content(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: _write(path, change(path.read_bytes()))


def _flip(content: bytes, count: int) -> bytes:
    changed, chance = bytearray(content), random.Random(len(content) + count)
    for _ in range(count if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _closed(path: Path) -> None:
    shutil.copy2(path, path.with_name("copy"))  # the original may share its permissions with a hard link
    os.replace(path.with_name("copy"), path)
    path.chmod(0)


def _of_another(path: Path) -> None:
    """The content of another file with the same ending, the nearest one that says something else."""
    own = path.read_bytes()
    for folder in list(path.parents)[:4]:
        for other in sorted(folder.rglob(f"*{path.suffix}")):
            if path.suffix and other.is_file() and (content := other.read_bytes()) != own:
                _write(path, content)
                return
    _write(path, own[::-1])


def _always(content: bytes) -> Callable[[bytes], bytes]:
    return lambda _: content


_OF_ALL = [
    Way("empty", _of_content(_always(b""))),
    *(Way(f"cut at {share:.0%}", _of_content(lambda c, s=share: c[: int(s * len(c))])) for share in (0.1, 0.5, 0.9)),
    Way("its last byte cut", _of_content(lambda c: c[:-1])),
    Way("random bytes", _of_content(lambda c: random.Random(len(c)).randbytes(max(64, len(c))))),
    Way("zeros", _of_content(lambda c: bytes(len(c)))),
    *(Way(f"{count} flipped bytes", _of_content(lambda c, n=count: _flip(c, n))) for count in (1, 20, 200)),
    Way("another file's content", _of_another),
    Way("gone", Path.unlink),
    Way("a folder", _folder),
    Way("closed", _closed),
]
_OF_JSON = [
    *(Way(name, _of_content(_always(json.dumps(value).encode()))) for name, value in VALUES.items()),
    Way("an empty object", _of_content(_always(b"{}"))),
    Way("nested too deep", _of_content(_always(DEEP))),
    Way("no number", _of_content(lambda c: c.replace(b"{", b'{"x": NaN, ', 1))),
    Way("a huge number", _of_content(lambda c: c.replace(b"{", b'{"x": 1' + b"0" * 400 + b", ", 1))),
    Way("half a sign", _of_content(lambda c: c.replace(b"{", b'{"x": "\\ud800", ', 1))),
]
_OF_LINES = [
    Way(f"a line that is {name}", _of_content(lambda c, v=value: json.dumps(v).encode() + b"\n" + c))
    for name, value in VALUES.items()
] + [
    Way("a line nested too deep", _of_content(lambda c: DEEP + b"\n" + c)),
    Way("a point without its fields", _of_content(lambda c: b'{"kind": "evaluation"}\n' + c)),
    Way("a point of other types", _of_content(lambda c: c.replace(b'"accuracy": 0', b'"accuracy": "0', 1))),
    Way("a line twice", _of_content(lambda c: c + c)),
]
