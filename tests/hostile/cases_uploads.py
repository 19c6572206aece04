"""Uploads, data sets by name, and options."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from engine.images import Reading
from engine.intake import keep_upload
from engine.workspace import Workspace
from tests.engine.intake import made_sources as made
from tests.hostile.making import GOOD
from tests.hostile.suite import Case


def uploads() -> Iterator[Case]:
    """The cases of this module."""
    for name in (
        "../../evil.jpg",
        "/etc/evil.jpg",
        "C:\\evil.jpg",
        "..",
        "",
        "cat\0dog.jpg",
        "a" * 3000,
        "\u202egpj.exe",
        "CON",
        "猫/犬.jpg",
    ):

        def bring(folder: Path, name: str = name) -> object:
            def keep(home: Workspace) -> str:
                dropped = [(n, io.BytesIO(c)) for n, c in GOOD.items()]
                return keep_upload(home, [*dropped, (name, io.BytesIO(made.jpg(5)))])

            return keep

        yield Case("hostile name of an upload", repr(name)[:20], bring)
    for identifier in ("../tasks", "../../../etc/passwd", "x", "", "0" * 32 + ".zip", "/etc/passwd", "\0"):
        yield Case("hostile upload id", repr(identifier), lambda folder, i=identifier: "upload:" + i)
    for name in ("../CIFAR10", "os", "__import__", "FakeData", "ImageFolder", ""):
        yield Case("hostile data set name", repr(name), lambda folder, n=name: "torchvision:" + n)
    for fields in (
        {"channels": (9,)},
        {"window": (0.0, 0.5)},
        {"value_range": (1.0, float("nan"))},
        {"channels": (1, 2, 3, 4)},
        {"window": (float("nan"), float("nan"))},
    ):

        def bring_reading(folder: Path, fields: dict[str, object] = fields) -> object:
            return made.put(folder, {f"{c}/{i}.dcm": made.dicom(i) for c in "ab" for i in range(2)}), {
                "reading": Reading(**fields)
            }  # type: ignore[arg-type]  # wrong types are the case

        yield Case("hostile option", str(fields), bring_reading)
    for fields in (
        {"split": "mine"},
        {"test_share": 0.0},
        {"test_share": 2.0},
        {"resize": "melt"},
        {"student_size": -1},
        {"findings": {"copies": "../x"}},
        {"classes": ("<b>", "=1")},
        {"images": "/nowhere"},
        {"in_place": True},
        {"split": "by-group"},
    ):
        yield Case("hostile option", str(fields), lambda folder, f=fields: (made.put(folder, GOOD), f))
