"""What cases are made of."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.engine.intake import made_sources as made
from tests.hostile.suite import Case

GOOD = made.classes_of(3)
SCRIPTS = {  # names of cats and dogs
    "Latin with accents": ("Löwenzahn é", "Łódź ñ"),
    "Cyrillic": ("кошка", "собака"),
    "Arabic": ("قطة", "كلب"),
    "Han": ("猫", "狗"),
    "Devanagari": ("बिल्ली", "कुत्ता"),
    "Hebrew": ("חתול", "כלב"),
    "Thai": ("แมว", "สุนัข"),
    "emoji": ("🐈‍⬛", "🐕‍🦺"),
}
MARKUP = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "$\\LaTeX$ :red[x]")
FORMULAS = ("=1+1", '=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1")


def random_of(name: str) -> np.random.Generator:
    """A generator with a seed of its own for each name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def flipped(content: bytes, random: np.random.Generator, count: int) -> bytes:
    """Some bytes replaced."""
    array = np.frombuffer(content, dtype=np.uint8).copy()
    array[random.integers(0, len(array), count)] = random.integers(0, 256, count)
    return array.tobytes()


def zip_bytes(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Files as a ZIP."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def as_file(mechanism: str, name: str, content: bytes | Callable[[], bytes], file: str = "x.zip") -> Case:
    """A case of one file."""

    def bring(folder: Path) -> Path:
        return made.put(folder, {file: content() if callable(content) else content}) / file

    return Case(mechanism, f"{mechanism}: {name}", bring)
