"""What an import found: the images of a source with what is known of each, before any of them is decoded."""

from __future__ import annotations

import errno
import io
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import DamagedFileError, InvalidInputError, StorageError, WorkbenchError
from engine.images.pixels import is_dicom
from engine.images.reading import Reading
from engine.intake.encodings import TABLE_ENCODING, UTF_8, Encoding, encoding_of_text
from engine.intake.sources import Skipped, Tree
from engine.settings import ImportSettings
from engine.tasks.questions import Question


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a source."""

    name: str  # its name in the source, which becomes the image's id
    label: str | None = None  # its class; None = unlabeled
    split: str | None = None  # "train", "test", or None where the source does not say
    group: str | None = None  # patient, site, video: what must not be on both sides of a split
    place: Any = None  # where the source has it; None = under its name


@dataclass(frozen=True)
class Columns:
    """Columns of a table: None = to be guessed, "" = there is none."""

    path: str | None = None
    label: str | None = None
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Inventory:
    """The images of a source, and how to read them."""

    layout: str  # key of the layout, such as "class-folders"
    layout_title: str  # in words
    items: Sequence[Item]
    # Raises DamagedFileError or InvalidInputError for an image that cannot be read, StorageError once none can.
    read: Callable[[Item], bytes]
    fingerprint: str
    path: Callable[[Item], Path | None] = lambda item: None  # where an image may be read in place
    classes: tuple[str, ...] = ()  # in the source's own order; empty = the labels, sorted
    notes: tuple[str, ...] = ()  # what was decided or dropped, a sentence each
    skipped: tuple[Skipped, ...] = ()
    skipped_more: int = 0  # how many more were skipped than `skipped` names
    collection: str = ""  # of a known data set, so that teachers that saw it are refused
    license: str = ""
    columns: Columns | None = None  # of a table: what was used
    all_columns: tuple[str, ...] = ()  # of a table: what there is to choose from
    reading: Reading | None = None  # how this data set is usually read
    questions: tuple[Question, ...] = ()  # what was guessed and should be checked
    # What was decoded, as it is called, with its encoding, and the question that this would be.
    texts: tuple[tuple[str, str, Encoding], ...] = ()
    encodings: Mapping[str, str] = field(default_factory=dict)  # of these, question -> encoding, where it is not UTF-8
    close: Callable[[], None] = field(default=lambda: None, compare=False)


@dataclass(frozen=True)
class Found:
    """What a layout may look at."""

    tree: Tree
    settings: ImportSettings
    columns: Columns
    answers: Mapping[str, str] = field(default_factory=dict)  # of the user, question -> interpretation


def tree_inventory(found: Found, layout: str, title: str, items: Sequence[Item], **rest: Any) -> Inventory:
    """The inventory of images that are files of a tree."""
    tree, limit = found.tree, found.settings.file_bytes
    skipped = (*tree.skipped, *rest.pop("skipped", ()))

    def read(item: Item) -> bytes:
        name = item.place or item.name
        with reading_one(tree, name):
            return tree.read(name, limit)

    return Inventory(
        layout=layout,
        layout_title=title,
        items=items,
        read=read,
        path=lambda item: tree.path(item.place or item.name),
        fingerprint=tree.fingerprint(),
        skipped=skipped,
        close=tree.close,
        **rest,
    )


@contextmanager
def reading_one(tree: Tree, name: str) -> Iterator[None]:
    """Around the reading of one image. Raises StorageError where its source went away, so that no other image can be
    read either; for an image that alone cannot be read, DamagedFileError or what the tree says of it.
    """
    try:
        yield
    except (OSError, WorkbenchError) as error:
        reason = _reason(error)
        if (reason is not None and reason.errno in _GONE) or not tree.is_there():
            why = (reason.strerror if reason is not None else None) or "it is not where it was"
            raise StorageError(
                f"{tree.title} went away while {name} was read ({why}): bring back the disk or share that it lies on "
                "and start again, which goes on after what was kept; or take that file away, if it alone is damaged."
            ) from error
        if isinstance(error, OSError):
            raise DamagedFileError(f"{name} cannot be read ({error.strerror or error}): mend or remove it.") from error
        if isinstance(error, StorageError):
            raise DamagedFileError(str(error)) from error
        raise


def _reason(error: BaseException | None) -> OSError | None:
    """What the operating system said first, where an error comes from that."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    return error


# What a disk, a share or a server answers that is gone; a disk says so of a single bad file, too (EIO).
_GONE = frozenset(
    getattr(errno, name)
    for name in (
        *("EIO", "ENXIO", "ENODEV", "ESTALE", "EREMOTEIO", "ENOMEDIUM", "ENOTCONN", "ECONNRESET", "ECONNABORTED"),
        *("EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ETIMEDOUT"),
    )
    if hasattr(errno, name)  # not every system has each
)

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"),
    *(".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".pgm", ".ppm", ".pbm", ".pnm"),
    *(".dcm", ".dicom", ".ima"),
)
_TEXT_SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".md", ".json", ".jsonl", ".xml", ".html", ".pdf", ".mat", ".parquet", ".py", ".yaml"),
)
_LEFTOVERS = (".bak", ".old", ".orig", ".tmp", ".part", ".crdownload", "~")  # second or half copies of a file
_KINDS = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF8", "GIF"))


def image_names(tree: Tree) -> list[str]:
    """Names of the files that are images by their suffix, or by their content where the suffix is no usual one."""
    return [name for name in tree.files if name.lower().endswith(IMAGE_SUFFIXES) or _is_image_by_content(tree, name)]


def note_on_contents(tree: Tree) -> str:
    """What is said of the files that are images by their content only; "" where there are none, or only DICOM series,
    whose files usually come so.
    """
    found = [(name, kind) for name, kind in tree.kinds.items() if kind not in ("", "DICOM")]
    if not found:
        return ""
    name, kind = found[0]
    number = "1 file is an image" if len(found) == 1 else f"{len(found):,} files are images"
    return f"{number} by content, though not by name (such as {name}: {kind})."


def _is_image_by_content(tree: Tree, name: str) -> bool:
    """Looked at once; the answer stays with the tree."""
    if name not in tree.kinds:
        tree.kinds[name] = "" if name.lower().endswith((*_TEXT_SUFFIXES, *_LEFTOVERS)) else _kind(tree, name)
    return bool(tree.kinds[name])


def _kind(tree: Tree, name: str) -> str:
    """The kind of image that a file holds, "" for none. Names of DICOM series often are IM000001, or end in the numbers
    of an instance; elsewhere TIFF and DICOM do not count, since raw photographs and much else begin like them.
    """
    try:
        with tree.open(name) as file:
            start = file.read(132)
    except WorkbenchError:  # whoever reads it as what its name says tells what is wrong with it
        return ""
    for magic, kind in _KINDS:
        if start.startswith(magic):
            return kind
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    _, dot, suffix = name.rsplit("/", 1)[-1].rpartition(".")
    if dot and not suffix.isdigit():
        return ""
    if start.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    return "DICOM" if is_dicom(start) else ""


def is_text(name: str) -> bool:
    """Whether a file is one that often lies beside images, so that nobody misses it among them."""
    return name.lower().endswith(_TEXT_SUFFIXES)


def below(tree: Tree, ending: str) -> str | None:
    """The folder (with its slash, or "") below which a file with exactly this name lies, the shortest; None if none."""
    found = [n[: -len(ending)] for n in tree.files if n == ending or n.endswith("/" + ending)]
    return min(found, key=len) if found else None


def read_lines(found: Found, name: str) -> list[str]:
    """The lines of a list, without empty ones. Raises InvalidInputError for one that is too long, or is no text."""
    content = found.tree.read(name, found.settings.list_bytes)
    encoding = encoding_of_text(lambda: io.BytesIO(content), name, found.answers.get(TABLE_ENCODING, ""))
    text = unicodedata.normalize("NFC", content.decode("utf-8-sig" if encoding == UTF_8 else encoding.name))
    return [line for line in text.splitlines() if line.strip()]


def read_pairs(found: Found, name: str) -> dict[str, str]:
    """A list of "key rest of the line". Raises InvalidInputError for a line without a rest."""
    pairs = {}
    for number, line in enumerate(read_lines(found, name), 1):
        key, _, rest = line.strip().partition(" ")
        if not rest.strip():
            raise InvalidInputError(f"{name} line {number}: {line[:60]!r} is no pair: download the data set again.")
        pairs[key] = rest.strip()
    return pairs


def first_line(error: Exception) -> str:
    """What a library says was wrong, on one line."""
    if isinstance(error, MemoryError):
        return "it needs more memory than is allowed"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()[:120]


def count_by(values: Sequence[str]) -> Mapping[str, int]:
    """How often each value is there, most frequent first."""
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
