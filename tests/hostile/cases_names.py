"""Names of classes, files and tasks, and odd folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from tests.engine.intake import made_sources as made
from tests.hostile.making import FORMULAS, GOOD, MARKUP, SCRIPTS, as_file, zip_bytes
from tests.hostile.suite import Case


def names() -> Iterator[Case]:
    """The cases of this module."""
    for script, (cat, dog) in SCRIPTS.items():
        files = {f"{name}/{i}-{name}.jpg": made.jpg(100 * k + i) for k, name in enumerate((cat, dog)) for i in range(3)}
        yield Case("names in many scripts", f"folder {script}", lambda folder, files=files: made.put(folder, files))
        yield as_file("names in many scripts", f"zip {script}", lambda files=files: zip_bytes(files))
        rows = [["file", "label"], *([name, name.split("/")[0]] for name in files)]
        flat = {**{name: content for name, content in files.items()}, "l.csv": made.table(rows)}
        yield Case(
            "names in many scripts", f"table {script}", lambda folder, flat=flat: made.put(folder, flat) / "l.csv"
        )
        yield Case(
            "names in many scripts",
            f"title {script}",
            lambda folder, t=f"{cat} {dog}": (made.put(folder, GOOD), {"title": t}),
        )
    for text in (*MARKUP, *FORMULAS):
        safe = text.replace("/", "|").strip()
        files = {f"{safe}/{i}.jpg": made.jpg(i) for i in range(3)} | {
            f"dog/{i}{safe}.jpg": made.jpg(50 + i) for i in range(3)
        }
        mechanism = "markup in names" if text in MARKUP else "formulas in names"
        yield Case(mechanism, f"folder {text}", lambda folder, files=files: made.put(folder, files))
        yield Case(mechanism, f"title {text}", lambda folder, text=text: (made.put(folder, GOOD), {"title": text}))
    for title in (
        "",
        "   ",
        "\0",
        "..",
        "/etc/passwd",
        "../../x",
        "a" * 5000,
        "CON",
        ".hidden",
        "\u202egnp.exe",
        "\ud800",
        "quickdraw",
        "-rf",
        "a\nb",
    ):
        yield Case(
            "hostile task name",
            repr(title)[:20],
            lambda folder, title=title: (made.put(folder, GOOD), {"title": title}),
        )
    for name in ("../evil", "a/b", "UPPER", "x" * 49, "quickdraw", ".", "..", "a b", "猫", "con\0"):
        yield Case(
            "hostile task name",
            f"name {name!r}"[:30],
            lambda folder, name=name: (made.put(folder, GOOD), {"name": name}),
        )
    strange = (
        b"cat/\xff\xfe.jpg",
        b"cat/line\nbreak.jpg",
        b"cat/\x1b[31mred.jpg",
        b"cat/" + b"x" * 240 + b".jpg",
        b"cat/ .jpg",
        b"cat/\xe2\x80\xaegpj.exe.jpg",
        b"cat/CON.jpg",
        b"cat/a:b.jpg",
        b"cat/*?.jpg",
        b"cat/~.jpg",
        b"cat/$(id).jpg",
        b"cat/'; drop table.jpg",
    )
    for name in strange:
        yield Case("hostile file name", repr(name)[:30], lambda folder, name=name: _with_raw_name(folder, name))


def _with_raw_name(folder: Path, name: bytes) -> Path:
    made.put(folder, GOOD)
    with open(os.path.join(os.fsencode(folder), name), "wb") as file:
        file.write(made.jpg(77))
    return folder


def folders() -> Iterator[Case]:
    """The cases of this module."""

    def linked(target: str, name: str = "cat/link.jpg") -> Callable[[Path], Path]:
        def bring(folder: Path) -> Path:
            made.put(folder, GOOD)
            (folder / name).symlink_to(target)
            return folder

        return bring

    for target in (
        "/etc/passwd",
        "../../../../secret.jpg",
        "/dev/zero",
        "nowhere",
        "link.jpg",
        "..",
        "0.jpg",
        "/proc/self/mem",
    ):
        yield Case("links in a folder", target, linked(target))
    yield Case("links in a folder", "a folder that is a link", linked("/etc", "linked"))
    yield Case("links in a folder", "a class that is a link", linked("cat", "horse"))

    def pipe(folder: Path) -> Path:
        os.mkfifo(made.put(folder, GOOD) / "cat" / "pipe.jpg")
        return folder

    def socket(folder: Path) -> Path:
        import socket as sockets

        made.put(folder, GOOD)
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket must be short
        try:
            with sockets.socket(sockets.AF_UNIX) as listening:
                listening.bind("cat/s.jpg")
        finally:
            os.chdir(here)
        return folder

    yield Case("special files in a folder", "pipe", pipe)
    yield Case("special files in a folder", "socket", socket)
    for path in (
        "/dev/zero",
        "/dev/null",
        "/dev/random",
        "/proc/self/mem",
        "/nowhere",
        "\0",
        "",
        "~nobody/x",
        "http://x/y.zip",
    ):
        yield Case("hostile path", repr(path), lambda folder, path=path: path)
    deep = "/".join("d" * 40 for _ in range(20))
    yield Case("odd folders", "deep", lambda folder: made.put(folder, {**GOOD, f"cat/{deep}/x.jpg": made.jpg(9)}))
    yield Case(
        "odd folders", "one class", lambda folder: made.put(folder, {f"cat/{i}.jpg": made.jpg(i) for i in range(4)})
    )
    yield Case("odd folders", "empty", lambda folder: folder)
    yield Case(
        "odd folders",
        "too many images",
        lambda folder: made.put(folder, {f"{'ab'[i % 2]}/{i}.gif": b"x" for i in range(151)}),
    )
    yield Case(
        "odd folders",
        "too many classes",
        lambda folder: made.put(folder, {f"{i}/x.png": made.encoded(Image.new("L", (2, 2), i)) for i in range(70)}),
    )
    yield Case(
        "odd folders", "only junk", lambda folder: made.put(folder, {".DS_Store": b"x", "__MACOSX/._x.jpg": b"x"})
    )
    yield Case(
        "odd folders",
        "case only",
        lambda folder: made.put(folder, {**GOOD, "Cat/0.jpg": made.jpg(7), "CAT/0.jpg": made.jpg(8)}),
    )
    yield Case(
        "odd folders",
        "all alike",
        lambda folder: made.put(folder, {f"{'ab'[i % 2]}/{i}.jpg": made.jpg(1) for i in range(8)}),
    )
    yield Case(
        "odd folders",
        "a file too large",
        lambda folder: made.put(folder, {**GOOD, "cat/x.bmp": b"BM" + b"\0" * 3_000_001}),
    )
