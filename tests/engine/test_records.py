import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import pytest

from engine.errors import DamagedFileError, StorageError
from engine.records import Count, Moment, Revision, Share, read_record, read_value, remembered, write_record


class Inner(TypedDict, total=False):
    choice: str


@dataclass(frozen=True)
class Thing:
    name: str
    classes: tuple[str, ...]
    flip: bool
    share: Share
    moment: Moment
    count: Count = 0
    revision: Revision = ""
    inner: dict[str, Inner] = field(default_factory=dict)
    free: dict[str, Any] = field(default_factory=dict)


WHOLE = {
    "name": "é",
    "classes": ["a", "b"],
    "flip": True,
    "share": 1,
    "moment": "2026-11-26T14:09:09.5+00:00",
    "inner": {"copies": {"choice": "keep", "later": 1}},
}


def read(path: Path) -> Thing:
    return read_record(path, Thing, "the thing 'é'", "restore it")


def written(folder: Path, content: object) -> Path:
    path = folder / "thing.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_a_record_comes_back_and_is_sealed(tmp_path: Path) -> None:
    thing = read(written(tmp_path, WHOLE))
    assert (thing.classes, thing.share, thing.moment.year, thing.count) == (("a", "b"), 1.0, 2026, 0)
    write_record(tmp_path / "again.json", thing)
    assert read(tmp_path / "again.json") == thing
    assert len(json.loads((tmp_path / "again.json").read_text())["seal"]) == 16


def test_what_a_later_version_added_is_passed_over(tmp_path: Path) -> None:
    assert read(written(tmp_path, WHOLE | {"added": [1]})) == read(written(tmp_path, WHOLE))


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "inner"])
def test_a_field_that_is_gone_is_named(tmp_path: Path, name: str) -> None:
    content = {key: value for key, value in WHOLE.items() if key != name}
    with pytest.raises(DamagedFileError, match=rf"thing\.json is damaged, and with it the thing 'é' .*{name}.*restore"):
        read(written(tmp_path, content))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in WHOLE for value in (None, [[]], 17, {"x": 1}) if (name, value) != ("share", 17)),
        ("share", 1.5),
        ("share", True),
        ("flip", 1),
        ("flip", "true"),
        ("count", -1),
        ("count", 1.5),
        ("count", 2**63),
        ("revision", "../../x"),
        ("revision", "d6377ee4cdeb\n"),
        ("moment", "2026-11-26T14:09:09"),
        ("moment", "yesterday"),
        ("free", {"x": 10**400}),
        ("inner", {"copies": {"choice": 5}}),
    ],
)
def test_a_value_of_another_type_is_named_with_its_field(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(DamagedFileError, match=r"and with it the thing 'é'"):
        read(written(tmp_path, WHOLE | {name: value}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"{",
        b"\xff\xfe\x00",
        b'{"name": "\\ud800", "x": 1}',
        b'{"free": {"x": NaN}}',
        b'{"free": {"x": -Infinity}}',
        b'{"free": {"x": 1e999}}',
        b'{"name": "a", "name": "b"}',
        b'{"free": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"free": ' + b'{"x":' * 40 + b"1" + b"}" * 40 + b"}",
        json.dumps(WHOLE).encode()[:-30],
        json.dumps(WHOLE).encode() + b"\x00",
    ],
)
def test_whatever_else_a_file_holds_is_the_same_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(
        DamagedFileError, match=r"thing\.json is damaged, and with it the thing 'é' \(.*\): restore it\."
    ):
        read(written(tmp_path, content))


def test_what_is_gone_or_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match="is gone, and with it the thing"):
        read(tmp_path / "thing.json")
    (tmp_path / "thing.json").mkdir()
    with pytest.raises(StorageError, match=r"thing\.json could not be written or read"):
        read(tmp_path / "thing.json")


@pytest.mark.parametrize("change", [{"flip": False}, {"count": 3}, {"seal": "0" * 16}, {"seal": None}])
def test_a_changed_value_does_not_match_the_seal(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "thing.json"
    write_record(path, read(written(tmp_path, WHOLE)))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DamagedFileError, match=r"no longer what was written\): restore it, or remove its line .seal."):
        read(path)


def test_a_remembered_file_is_read_again_when_it_was_replaced_or_damaged(tmp_path):
    asked = []
    read = remembered(lambda path: asked.append(path) or read_value(path, "the file", "restore it"))
    path = tmp_path / "record.json"
    write_record(path, {"x": 1})
    assert [read(path), read(path)] == [{"x": 1}] * 2
    assert len(asked) == 1
    write_record(path, {"x": 2})
    assert read(path) == {"x": 2}
    path.write_text("{")
    for _ in range(2):  # a failure is not remembered
        with pytest.raises(DamagedFileError, match=path.name):
            read(path)
    path.unlink()
    with pytest.raises(DamagedFileError, match="is gone"):
        read(path)
