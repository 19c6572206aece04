"""What a source holds, found in a process of its own, which goes on to read the images one by one.

Directories of archives, Parquet files, tables and lists are parsed there alone: a user's file that makes a parser
crash, or never end, costs that process and gives a sentence.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from engine.confinement import NONSENSE, Answer, Confined, DiedError, TookTooLongError, libraries, serve
from engine.errors import DamagedFileError, InvalidInputError, WorkbenchError
from engine.files import expanded
from engine.images.reading import reading_as_json, reading_from
from engine.intake.encodings import NAMES_ENCODING
from engine.intake.inventory import Columns, Found, Inventory, Item, image_names, note_on_contents, tree_inventory
from engine.intake.layouts import recognize
from engine.intake.layouts.parquet import image_shards, parquet_images
from engine.intake.layouts.table import Part, table_inventory
from engine.intake.layouts.torchvision_sets import PREFIX as TORCHVISION
from engine.intake.layouts.torchvision_sets import torchvision_inventory
from engine.intake.request import UPLOAD, ImportRequest
from engine.intake.sources import FolderTree, Skipped, Tree, open_tree
from engine.intake.tables import TABLE_SUFFIXES
from engine.intake.uploads import in_the_users_words, upload_path
from engine.settings import ImportSettings, allowed_root, settings_from
from engine.tasks.facts import LINKS
from engine.tasks.questions import Question, questions_as_json, questions_from
from engine.workspace import Workspace

CRASHES = 3  # after which a source is not read on: every further one would cost as much as finding its images


def find_images(workspace: Workspace, request: ImportRequest, settings: ImportSettings) -> Inventory:
    """The inventory of an import's source, to be closed. Raises WorkbenchError."""

    def words(text: str) -> str:
        return in_the_users_words(request.images, in_the_users_words(request.source, text))

    try:
        if request.source.startswith(TORCHVISION):
            return torchvision_inventory(workspace, request.source.removeprefix(TORCHVISION))
        return _Source(workspace, request, settings, words).inventory()
    except WorkbenchError as error:
        error.args = (words(str(error)),)
        raise


def find_pictures(workspace: Workspace, source: str, settings: ImportSettings, images: str = "") -> Inventory:
    """Every image of a source, to be closed: what its folders and columns mean does not matter. A source is what an
    import takes, or a single image file; images: where those of a table lie, if elsewhere. Raises WorkbenchError.
    """

    def words(text: str) -> str:
        return in_the_users_words(images, in_the_users_words(source, text))

    request = ImportRequest(source=source, title="images", images=images)
    try:
        return _Source(workspace, request, settings, words, do="pictures").inventory()
    except WorkbenchError as error:
        error.args = (words(str(error)),)
        raise


def _path(workspace: Workspace, source: str) -> Path:
    return upload_path(workspace, source) if source.startswith(UPLOAD) else expanded(source)


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in TABLE_SUFFIXES and path.is_file()


def _readable(path: Path, images: Path | None, beside: bool, settings: ImportSettings) -> list[Path]:
    """What the process of a source may read: the source itself, allow-listed folders, where its links may lead, and
    libraries, which load the parser of a rare list, or what they know of an encoding, when they first need it.
    """
    source = path.parent if beside and images is None and _is_table(path) else path
    return [source, *([images] if images else []), *map(Path, settings.roots), *libraries()]


class _Source:
    """A source in the hands of its process."""

    def __init__(
        self,
        workspace: Workspace,
        request: ImportRequest,
        settings: ImportSettings,
        words: Callable[[str], str],
        do: str = "find",
    ) -> None:
        path = _path(workspace, request.source)
        images = _path(workspace, request.images) if request.images else None
        beside = not request.source.startswith(UPLOAD)  # an upload lies beside other people's
        self._asked = {
            "do": do,
            "name": path.name or str(path),
            "source": str(path),
            "images": str(images or ""),
            "beside": beside,
            "columns": asdict(request.columns),
            "answers": dict(request.answers),
            "settings": asdict(settings),
        }
        self._title, self._words, self._crashes, self._settings = str(self._asked["name"]), words, 0, settings
        self._process = Confined(
            f"{__name__}:main",
            memory=settings.source_bytes,
            seconds=settings.source_seconds,
            reads=_readable(path, images, beside, settings),
        )

    def inventory(self) -> Inventory:
        """What it found. Raises WorkbenchError; the process is then ended."""
        try:
            return self._in_words(*self._ask(self._asked, self._title))
        except NONSENSE:
            self._process.close()
            raise self._crashed(self._title) from None
        except BaseException:
            self._process.close()
            raise

    def _in_words(self, answer: dict[str, Any], payload: bytes) -> Inventory:
        return replace(
            _inventory(answer, payload),
            layout_title=self._words(answer["layout_title"]),
            notes=tuple(map(self._words, answer["notes"])),
            questions=tuple(map(self._question, questions_from(answer["questions"]))),
            read=self._read,
            path=self._place,
            close=self._process.close,
        )

    def _question(self, question: Question) -> Question:
        return replace(question, text=self._words(question.text))

    def _read(self, item: Item) -> bytes:
        return self._of_item("read", item)[1]

    def _place(self, item: Item) -> Path | None:
        path = self._of_item("path", item)[0].get("path")
        if not isinstance(path, str) or "\0" in path or allowed_root(Path(path), self._settings) is None:
            return None  # whatever the process has become, it names no other file
        return Path(path)

    def _of_item(self, what: str, item: Item) -> Answer:
        if not self._process.is_running():  # it crashed over another image
            if self._crashes >= CRASHES:
                raise DamagedFileError(f"{item.name} was not read, as {self._title} made its reader crash repeatedly.")
            self._ask(self._asked, self._title)
        return self._ask({"do": what, "name": item.name, "item": item.place}, item.name)

    def _ask(self, header: dict[str, Any], name: str) -> Answer:
        try:
            return self._process.ask(header)
        except TookTooLongError:
            self._crashes += 1
            raise InvalidInputError(
                f"{name} was still being read after {self._process.seconds:g} s: bring a part of it, or raise the "
                "setting source_seconds."
            ) from None
        except DiedError:
            raise self._crashed(name) from None

    def _crashed(self, name: str) -> DamagedFileError:
        self._crashes += 1
        return DamagedFileError(
            f"{name} made the process that reads it crash: it is damaged, or made to do so. Save or pack it again."
        )


def _inventory(answer: dict[str, Any], payload: bytes) -> Inventory:
    columns = json.loads(payload)
    labels, splits, groups = (_texts(columns[name]) for name in ("label", "split", "group"))
    items = [
        Item(*fields, place)
        for place, fields in enumerate(zip(columns["name"], labels, splits, groups, strict=True))
    ]  # fmt: skip
    reading = answer["reading"]
    return Inventory(
        layout=answer["layout"],
        layout_title=answer["layout_title"],
        items=items,
        read=lambda item: b"",
        fingerprint=answer["fingerprint"],
        classes=tuple(answer["classes"]),
        skipped=tuple(Skipped(name, reason) for name, reason in answer["skipped"]),
        skipped_more=answer["skipped_more"],
        collection=answer["collection"],
        license=answer["license"],
        columns=None if answer["columns"] is None else Columns(**answer["columns"]),
        all_columns=tuple(answer["all_columns"]),
        encodings=answer["encodings"],
        reading=None if reading is None else reading_from(reading),
    )


def _coded(values: Sequence[str | None]) -> dict[str, Any]:
    """Texts that repeat, each once, and the place of each value among them."""
    places: dict[str | None, int] = {}
    return {"places": [places.setdefault(value, len(places)) for value in values], "texts": list(places)}


def _texts(coded: dict[str, Any]) -> list[str | None]:
    return [coded["texts"][place] for place in coded["places"]]


# What follows runs in the process of the source.


def main() -> None:
    """Find and read what is asked for, until standard input ends."""
    finder = _Finder()
    does = {"find": finder.find, "pictures": finder.pictures, "read": finder.read, "path": finder.path}
    serve(does, lambda: None)


class _Finder:
    """The source that this process was asked for."""

    def __init__(self) -> None:
        self._found: Inventory | None = None

    def find(self, header: dict[str, Any], content: bytes) -> Answer:
        """Everything but the images' bytes."""
        settings, images = _settings_in(header), header["images"]
        columns, elsewhere = Columns(**header["columns"]), Path(images) if images else None
        return self._keep(
            inventory_of(Path(header["source"]), elsewhere, header["beside"], columns, settings, header["answers"])
        )

    def pictures(self, header: dict[str, Any], content: bytes) -> Answer:
        """The same, whatever folders and columns mean."""
        elsewhere = Path(header["images"]) if header["images"] else None
        return self._keep(pictures_in(Path(header["source"]), elsewhere, header["beside"], _settings_in(header)))

    def _keep(self, found: Inventory) -> Answer:
        self._found = found
        answer = {
            "layout": found.layout,
            "layout_title": found.layout_title,
            "fingerprint": found.fingerprint,
            "classes": found.classes,
            "notes": found.notes,
            "questions": questions_as_json(found.questions),
            "encodings": dict(found.encodings),
            "skipped": [(skipped.name, skipped.reason) for skipped in found.skipped],
            "skipped_more": found.skipped_more,
            "collection": found.collection,
            "license": found.license,
            "columns": None if found.columns is None else asdict(found.columns),
            "all_columns": found.all_columns,
            "reading": None if found.reading is None else reading_as_json(found.reading),
        }
        items = {
            "name": [item.name for item in found.items],
            "label": _coded([item.label for item in found.items]),
            "split": _coded([item.split for item in found.items]),
            "group": _coded([item.group for item in found.items]),
        }
        return answer, json.dumps(items).encode()

    def read(self, header: dict[str, Any], content: bytes) -> Answer:
        """The bytes of one image."""
        assert self._found is not None
        return {}, self._found.read(self._found.items[header["item"]])

    def path(self, header: dict[str, Any], content: bytes) -> Answer:
        """Where one image may be read in place, or null."""
        assert self._found is not None
        path = self._found.path(self._found.items[header["item"]])
        return {"path": None if path is None else str(path)}, b""


def _settings_in(header: Mapping[str, Any]) -> ImportSettings:
    return settings_from({"import": header["settings"]}, "the import's settings")


def pictures_in(path: Path, images: Path | None, beside: bool, settings: ImportSettings) -> Inventory:
    """Every image of a folder, an archive or a table, or the one that a file is, in this process.

    images: where a table's images lie, if elsewhere; beside: whether they may lie beside the table. Raises
    WorkbenchError.
    """
    if images or _is_table(path):
        return inventory_of(path, images, beside, Columns(), settings, {})
    alone = _Alone(path, settings, "") if path.is_file() else None
    tree = alone if alone and image_names(alone) else open_tree(path, settings)
    names = image_names(tree)
    if not names:  # images within files of a data set, or none: there is a sentence for it
        return recognize(Found(tree, settings, Columns()))
    if len(names) > settings.images:
        raise InvalidInputError(
            f"{tree.title} holds more than {settings.images:,} images: bring fewer, or raise the setting images."
        )
    return tree_inventory(Found(tree, settings, Columns()), "pictures", "images", [Item(name) for name in names])


def inventory_of(
    path: Path,
    images: Path | None,
    beside: bool,
    columns: Columns,
    settings: ImportSettings,
    answers: Mapping[str, str],
) -> Inventory:
    """The inventory of a folder, an archive or a table, in this process.

    images: where a table's images lie, if elsewhere; beside: whether they may lie beside the table. Raises
    WorkbenchError.
    """
    names_in = answers.get(NAMES_ENCODING, "")
    elsewhere = open_tree(images, settings, names_in) if images else None
    if _is_table(path):
        around = elsewhere is None and beside
        tree = FolderTree(path.parent, settings, names_in) if around else _Alone(path, settings, names_in)
        name = tree.shown(path.name)
        found = Found(tree, settings, columns, answers)
        if path.suffix.lower() == ".parquet" and image_shards(tree, [name], settings):
            return parquet_images(replace(found, tree=_Alone(path, settings, names_in)), [name])
        return _told(table_inventory(found, [Part(name)], elsewhere), elsewhere or tree)
    if images:
        raise InvalidInputError(f"{path.name} is no table, so its images cannot lie elsewhere: leave that out.")
    whole = open_tree(path, settings, names_in)
    if not whole.files and (links := sum(skipped.reason in LINKS for skipped in whole.skipped)):
        raise InvalidInputError(
            f"{whole.title} holds nothing but {links:,} links, which are not followed, as in a hub's cache: copy it so "
            "that files take their place (cp -rL), and import the copy; or import the folder that holds both."
        )
    return _told(recognize(Found(whole, settings, columns, answers)), whole)


def _told(found: Inventory, images: Tree) -> Inventory:
    """The inventory with what is to be said of the encodings of its texts, and of the tree of its images.

    Raises InvalidInputError for a label or a group that lost letters before it came here.
    """
    labeled = sum(item.label is not None for item in found.items)
    for item in found.items:
        lost = next((text for text in (item.label, item.group) if text and "\ufffd" in text), None)
        if lost is not None:
            raise InvalidInputError(
                f"{lost!r}, which belongs to {item.name}, has the sign \ufffd in place of letters that were lost: save "
                "the table, or pack the archive, again from what it was made of."
            )
    texts = (*found.texts, (NAMES_ENCODING, f"The names in {images.title}", images.encoding))
    notes = (encoding.note(title) for _, title, encoding in texts)
    questions = (encoding.question(key, title, labeled) for key, title, encoding in texts)
    return replace(
        found,
        notes=(*found.notes, *images.notes, *filter(None, (note_on_contents(images), *notes))),
        questions=(*found.questions, *filter(None, questions)),
        encodings={key: encoding.name for key, _, encoding in texts if encoding.words},
    )


class _Alone(FolderTree):
    """One file as a tree."""

    def __init__(self, path: Path, settings: ImportSettings, encoding: str) -> None:
        self._only = path.name
        super().__init__(path.parent, settings, encoding)

    def _walk(self) -> list[tuple[str, int]]:
        place = self.folder / self._only
        self._led_to[self._only] = Path(os.path.realpath(place))
        about = place.stat()
        self._modified[self._only] = about.st_mtime_ns
        return [(self._only, about.st_size)]

    def is_there(self) -> bool:
        """Whether the file is."""
        return self._led_to[self._only].exists() and super().is_there()
