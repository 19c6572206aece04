"""What an import would make, told before it is asked for: counts, and some of its images as they will be read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from engine.errors import DamagedFileError
from engine.images.converting import decode
from engine.images.decoder import Decoders, Looked
from engine.images.reading import Reading, Values
from engine.intake.discovery import find_images
from engine.intake.import_job import check_source
from engine.intake.inventory import Columns, Inventory, Item, count_by
from engine.intake.request import ImportRequest
from engine.settings import import_settings
from engine.tasks.names import clean_identifier
from engine.tasks.questions import Question
from engine.workspace import Workspace

SAMPLES = 12  # images that are decoded; a second or two
LISTED = 200  # skipped files that are named


@dataclass(frozen=True)
class Sample:
    """One image as an import would read it; `image` is None, and `problem` a sentence, if it cannot be read."""

    name: str
    label: str | None
    size: tuple[int, int]  # width and height in pixels, upright
    channels: int
    steps: tuple[str, ...]  # what is done to make it RGB
    image: Image.Image | None
    problem: str = ""
    values: Values | None = None  # of an image with more than 8 bits
    patient: str = ""  # a hash of the patient whom a DICOM file names
    converted: bool = False  # whether it is kept as a PNG, and so copied even where files are read in place


@dataclass(frozen=True)
class Preview:
    """What an import would make."""

    layout: str  # key of the layout, such as "class-folders"
    layout_title: str
    images: int
    classes: Mapping[str, int]  # labeled images of each class, the largest class first; test images among them
    unlabeled: int
    test: int  # labeled images that the source itself holds out
    groups: int  # patients, sites, videos; 0 where the source names none
    straddling: int  # groups that the source itself both trains on and tests on
    notes: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]  # files or rows that take no part, and why; at most `LISTED`
    skipped_count: int
    columns: Columns | None  # of a table: those in use
    all_columns: tuple[str, ...]  # of a table: those to choose from
    samples: tuple[Sample, ...]
    in_place: bool  # whether its files may be read where they lie
    reading: Reading  # how the samples were read: as asked for, or as is usual for the source
    questions: tuple[Question, ...]  # what was guessed and should be checked
    encodings: Mapping[str, str]  # of what is not UTF-8: "encoding" of the table, "names-encoding" of its files' names


def preview(workspace: Workspace, request: ImportRequest, samples: int = SAMPLES) -> Preview:
    """What `request` would make. Nothing is written; images are decoded in processes of their own first.

    Raises WorkbenchError as the import itself would, also for a source that the app may not import.
    """
    request = check_source(workspace, request)
    settings = replace(import_settings(workspace), decoders=1)  # starting a second one takes longer than it would save
    with Decoders(settings) as decoders:
        decoders.start()
        inventory = find_images(workspace, request, settings)
        try:
            chosen = _spread(inventory.items, samples)
            reading = request.reading or inventory.reading or Reading()
            looked = decoders.look_at(chosen, lambda item: (inventory.read(item), clean_identifier(item.name)), reading)
            return _preview(inventory, tuple(_sample(*entry) for entry in looked), reading)
        finally:
            inventory.close()


def read_in_ways(
    workspace: Workspace, request: ImportRequest, names: Sequence[str], readings: Sequence[Reading]
) -> tuple[tuple[Sample, ...], ...]:
    """The images that a preview called `names`, in each of some ways to read them: `[readings][names]`, for a choice.

    A name that is not there is left out. Raises as `preview`.
    """
    request = check_source(workspace, request)
    settings = replace(import_settings(workspace), decoders=1)
    with Decoders(settings) as decoders:
        decoders.start()
        inventory = find_images(workspace, request, settings)
        try:
            wanted = set(names)
            chosen = [item for item in inventory.items if clean_identifier(item.name) in wanted][: len(wanted)]
            contents = {item.name: inventory.read(item) for item in chosen}  # once: an archive is slow to go back in
            ways = []
            for reading in readings:
                looked = decoders.look_at(chosen, lambda i: (contents[i.name], clean_identifier(i.name)), reading)
                ways.append(tuple(_sample(*entry) for entry in looked))
            return tuple(ways)
        finally:
            inventory.close()


def _preview(inventory: Inventory, samples: tuple[Sample, ...], reading: Reading) -> Preview:
    items = inventory.items
    return Preview(
        layout=inventory.layout,
        layout_title=inventory.layout_title,
        images=len(items),
        classes=count_by([item.label for item in items if item.label is not None]),
        unlabeled=sum(item.label is None for item in items),
        test=sum(item.split == "test" and item.label is not None for item in items),
        groups=len({item.group for item in items if item.group}),
        straddling=len(_groups(items, tested=True) & _groups(items, tested=False)),
        notes=inventory.notes,
        skipped=tuple((clean_identifier(s.name), s.reason) for s in inventory.skipped[:LISTED]),
        skipped_count=len(inventory.skipped) + inventory.skipped_more,
        columns=inventory.columns,
        all_columns=inventory.all_columns,
        samples=samples,
        in_place=bool(items) and inventory.path(items[0]) is not None,
        reading=reading,
        questions=inventory.questions,
        encodings=inventory.encodings,
    )


def _groups(items: Sequence[Item], *, tested: bool) -> set[str]:
    """Groups with an image that the source holds out, or with one that it does not."""
    return {item.group for item in items if item.group and (item.split == "test") == tested}


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """Some items: of as many labels as there are places, and of no label, in the order of the source."""
    by_label: dict[str | None, list[int]] = {}
    for place, item in enumerate(items):
        by_label.setdefault(item.label, []).append(place)
    stride = max(1.0, len(by_label) / max(1, count))
    kinds = [list(by_label.values())[int(i * stride)] for i in range(min(count, len(by_label)))]
    chosen: list[int] = []
    depth = 0
    while kinds and len(chosen) < min(count, len(items)):
        kinds = [places for places in kinds if len(places) > depth]
        chosen += [places[depth] for places in kinds]
        depth += 1
    return [items[place] for place in sorted(chosen[:count])]


def _sample(item: Item, content: bytes, seen: Looked | Exception) -> Sample:
    name = clean_identifier(item.name)
    if isinstance(seen, Exception):
        return Sample(name, item.label, (0, 0), 0, (), None, str(seen))
    try:
        image = decode(seen.stored or content, name)
    except DamagedFileError as error:
        return Sample(name, item.label, (0, 0), 0, (), None, str(error))
    return Sample(
        name=name,
        label=item.label,
        size=(seen.width, seen.height),
        channels=seen.channels,
        steps=seen.steps,
        image=image,
        values=seen.values,
        patient=seen.patient and hashlib.sha256(seen.patient.encode()).hexdigest()[:12],
        converted=seen.stored is not None,
    )
