"""One reader for each collection: an unpacked package in, a `PictureSet` with a fixed split out."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from assets.build.pictures import Picture, PictureSet, by_lot, lot, on_white, to_square, trimmed
from assets.build.progress import track
from assets.build.sources import source_folder

QUICKDRAW_PARTS = {
    "classes-000-254": range(0, 255),
    "classes-255-299": range(255, 300),
    "classes-300-344": range(300, 345),
}
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION_CLASSES = (
    "T-shirt or top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
DIGITS = tuple("0123456789")
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWERCASE = CAPITALS.lower()


def quickdraw(parts: Sequence[str], test_per_class: int) -> PictureSet:
    """Sketches of the named parts, dark ink on white, 28 px gray; the test pictures of each class are drawn by lot."""
    files = sorted((source_folder("quickdraw") / "package" / "src" / "drawings").glob("*.ndjson.gz"))
    chosen = [files[number] for part in parts for number in QUICKDRAW_PARTS[part]]
    classes = tuple(file.name.removesuffix(".ndjson.gz") for file in chosen)
    pictures = []
    for label, file in track(enumerate(chosen), len(chosen), "reading sketches"):
        ink = np.array([json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()])
        gray = np.rint(255 * (1 - ink)).astype(np.uint8).reshape(-1, 28, 28)
        paths = [f"{classes[label]}/{number:04d}.png" for number in range(len(gray))]
        test = set(by_lot(paths, "quickdraw")[:test_per_class])
        for path, image in zip(paths, gray, strict=True):
            pictures.append(Picture(path, Image.fromarray(image), label, "test" if path in test else "train"))
    return PictureSet(classes, tuple(pictures))


def fashion_mnist() -> PictureSet:
    """The 70,000 product pictures with their official split, light product on black as published."""
    folder = source_folder("fashion-mnist") / "usr" / "share" / "datasets" / "fashion-mnist"
    return _idx_set(folder, FASHION_CLASSES, ".gz")


def mnist() -> PictureSet:
    """The 70,000 handwritten digits with their official split, white on black as published."""
    return _idx_set(source_folder("mnist") / "package" / "data", DIGITS, "")


def cifar10() -> PictureSet:
    """The 60,000 photographs of 32 px with their official split."""
    folder = source_folder("cifar-10") / "package"
    batches = {"train": [f"data_batch_{number}.png" for number in range(1, 6)], "test": ["test_batch.png"]}
    pictures = []
    for split, names in batches.items():
        labels = np.array(json.loads((folder / f"{split}_lables.json").read_text())).ravel()
        pixels = np.concatenate([np.asarray(Image.open(folder / name).convert("RGB")) for name in names])
        pictures += _pictures(pixels.reshape(-1, 32, 32, 3), labels, CIFAR_CLASSES, split)
    return PictureSet(CIFAR_CLASSES, tuple(pictures))


def _idx_set(folder: Path, classes: tuple[str, ...], suffix: str) -> PictureSet:
    pictures = []
    for split, stem in (("train", "train"), ("test", "t10k")):
        images = _idx(folder / f"{stem}-images-idx3-ubyte{suffix}")
        labels = _idx(folder / f"{stem}-labels-idx1-ubyte{suffix}")
        pictures += _pictures(images, labels, classes, split)
    return PictureSet(classes, tuple(pictures))


def _idx(file: Path) -> NDArray[np.uint8]:
    """The array of an idx file of bytes: zeros, type and number of axes; the axes as big-endian int32; the data."""
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    axes = content[3]
    shape = np.frombuffer(content, dtype=">i4", count=axes, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape)


def _pictures(
    pixels: NDArray[np.uint8], labels: NDArray[np.integer], classes: tuple[str, ...], split: str
) -> list[Picture]:
    return [
        Picture(f"{classes[label]}/{split}-{number:05d}.png", Image.fromarray(image), int(label), split)
        for number, (image, label) in enumerate(zip(pixels, labels, strict=True))
    ]


EMOJI_CATEGORIES = (
    "Activities",
    "Animals & Nature",
    "Flags",
    "Food & Drink",
    "Objects",
    "People & Body",
    "Smileys & Emotion",
    "Symbols",
    "Travel & Places",
)
EMOJI_SHARES = {"fluent": 0.45, "google": 0.45, "twitter": 0.10}  # of the code points of each category
_PEOPLE = re.compile(r"1f468|1f469|1f9d1")  # man, woman, person
_GENDER = re.compile(r"-200d-264[02](-fe0f)?$")


def emoji_families(part: str) -> dict[str, list[str]]:
    """The families of code points that belong to one part ("fluent", "google", "twitter"), by category, in drawn order.

    A family is the set of sequences that differ only in man, woman or person: they are drawn almost alike.
    """
    bounds = np.cumsum([0.0, *EMOJI_SHARES.values()])
    position = list(EMOJI_SHARES).index(part)
    chosen = {}
    for category in EMOJI_CATEGORIES:
        own = {emoji_family(entry["unified"]) for entry in _emoji_table() if entry["category"] == category}
        families = by_lot(sorted(own), "emoji", category)
        first, last = (round(bound * len(families)) for bound in bounds[position : position + 2])
        chosen[category] = families[first:last]
    return chosen


def emoji_code_points(part: str) -> list[str]:
    """Every code point sequence of one part, sorted."""
    families = {family for own in emoji_families(part).values() for family in own}
    return sorted(entry["unified"].lower() for entry in _emoji_table() if emoji_family(entry["unified"]) in families)


def emoji_family(code_points: str) -> str:
    """The family of an emoji's code points, such as "1f3c3-200d-2642-fe0f" -> "1f3c3"."""
    return _GENDER.sub("", _PEOPLE.sub("person", code_points.lower())).replace("-fe0f", "")


def emoji(vendor: str, level: str, test_share: float, size: int, least_per_class: int = 0) -> PictureSet:
    """One vendor's drawings of its own part of the code points on white squares of `size`, without skin tone variants.

    `level`: the classes are the values of "category" or "subcategory". A class with fewer pictures than
    `least_per_class` is left out. Families are whole in train or in test, and each class gives `test_share` of its
    families to test.
    """
    part = {family for families in emoji_families(vendor).values() for family in families}
    files: dict[str, dict[str, list[Path]]] = {}  # class -> family -> files
    for entry in _emoji_table():
        family, file = emoji_family(entry["unified"]), _emoji_file(vendor, entry["unified"].lower())
        if family in part and file is not None:
            files.setdefault(entry[level], {}).setdefault(family, []).append(file)
    counts = {name: sum(len(found) for found in families.values()) for name, families in files.items()}
    classes = tuple(name for name in sorted(files) if counts[name] >= least_per_class)
    pictures = []
    for label, name in enumerate(classes):
        families = by_lot(sorted(files[name]), "emoji test", vendor, name)
        test = set(families[: round(test_share * len(families))])
        for family in sorted(families):
            for file in files[name][family]:
                image = to_square(on_white(Image.open(file)), size, "pad")
                pictures.append(Picture(f"{name}/{file.stem}", image, label, "test" if family in test else "train"))
    return PictureSet(classes, tuple(pictures))


@cache
def _emoji_table() -> list[dict[str, str]]:
    """Every emoji's `unified` code points, `category` and `subcategory`, components aside."""
    table = json.loads((source_folder("emoji-google") / "package" / "emoji.json").read_text())
    return [entry for entry in table if entry["category"] in EMOJI_CATEGORIES]


def _emoji_file(vendor: str, code_points: str) -> Path | None:
    """One vendor's file of an emoji; None where it draws none."""
    folder = source_folder(f"emoji-{vendor}") / "package"
    folder, ending = (folder / "assets", "webp") if vendor == "fluent" else (folder / "img" / vendor / "64", "png")
    names = (code_points, code_points.replace("-fe0f", ""))
    return next((folder / f"{name}.{ending}" for name in names if (folder / f"{name}.{ending}").is_file()), None)


# Class -> folders. Left out: icon themes and playing cards (series of near-copies), single shapes, unsorted drawings.
OPENCLIPART_FOLDERS = {
    "animals": ("animals",),
    "buildings": ("buildings",),
    "electronics": ("electronics", "computer/hardware", "computer/connectors", "computer/network"),
    "flags": ("signs_and_symbols/flags",),
    "food": ("food",),
    "geography": ("geography",),
    "office": ("office",),
    "patterns": ("special/patterns",),
    "people": ("people",),
    "plants": ("plants",),
    "recreation": ("recreation",),
    "tools": ("tools",),
    "transportation": ("transportation",),
}
_LEFT_OUT = "recreation/games/cards"
_MOST_PIXELS = 4_000_000  # a dozen drawings are larger, some of them by a hundred times


def openclipart(size: int, test_share: float) -> PictureSet:
    """Drawings without their margins on white squares of `size` pixels, 13 folders as classes, exact copies removed."""
    root = source_folder("openclipart") / "usr" / "share" / "openclipart" / "png"
    files = [
        (label, file) for label, folders in enumerate(OPENCLIPART_FOLDERS.values()) for file in _drawings(root, folders)
    ]
    pictures = []
    for label, file in track(files, len(files), "reading drawings"):
        image = trimmed(on_white(Image.open(file)))
        if image is not None:
            pictures.append(Picture(str(file.relative_to(root)), to_square(image, size, "pad"), label, "train"))
    whole = PictureSet(tuple(OPENCLIPART_FOLDERS), tuple(pictures)).without_copies()
    return whole.with_test(whole.drawn(test_share, "openclipart"))


def _drawings(root: Path, folders: Sequence[str]) -> list[Path]:
    """The drawings below `folders`: no links, which stand for drawings elsewhere, and no scans of print size."""
    files = [file for folder in folders for file in sorted((root / folder).rglob("*.png")) if not file.is_symlink()]
    return [
        file
        for file in files
        if not str(file.relative_to(root)).startswith(_LEFT_OUT) and _png_pixels(file) <= _MOST_PIXELS
    ]


def _png_pixels(file: Path) -> int:
    """Width times height, from the header alone."""
    with file.open("rb") as stream:
        width, height = struct.unpack(">II", stream.read(24)[16:])
    return int(width * height)


# Font family -> how its files begin. The families of `_HELD_OUT_FONTS` are never trained on.
_FONT_FAMILIES = {
    "aller": "Aller",
    "amatic": "Amatic",
    "bebas": "BEBAS",
    "capture": "Capture",
    "caviar": "Caviar",
    "droid": "Droid",
    "tusj": "FFF_Tusj",
    "lato": "Lato",
    "open-sans": "OpenSans",
    "pacifico": "Pacifico",
    "raleway": "Raleway",
    "roboto": "Roboto",
    "sansation": "Sansation",
    "seaside": "SEASRN",
    "walkway": "Walkway",
}
_HELD_OUT_FONTS = frozenset({"bebas", "caviar", "droid", "raleway", "sansation"})
_DEVELOPMENT_FONTS = frozenset({"aller", "caviar", "pacifico", "sansation", "walkway"})
ALL_FONTS = frozenset(_FONT_FAMILIES)
TARGET_FONTS = ALL_FONTS - _DEVELOPMENT_FONTS
DEVELOPMENT_FONTS = _DEVELOPMENT_FONTS


def letters(alphabet: str, families: frozenset[str], renderings: int, size: int) -> PictureSet:
    """Each letter in each font of `families`, `renderings` times, in dark gray on light gray, turned and moved by lot.

    The test pictures are those of the held-out font families.
    """
    root = source_folder("fonts") / "trdg" / "fonts" / "latin"
    fonts = [
        (family, file) for family in sorted(families) for file in sorted(root.glob(f"{_FONT_FAMILIES[family]}*.ttf"))
    ]
    pictures = []
    for family, file in track(fonts, len(fonts), "rendering letters"):
        split = "test" if family in _HELD_OUT_FONTS else "train"
        for label, letter in enumerate(alphabet):
            for number in range(renderings):
                path = f"{letter}/{file.stem}-{number}.png"
                pictures.append(Picture(path, _render(letter, file, size, path), label, split))
    return PictureSet(tuple(alphabet), tuple(pictures))


def _render(letter: str, file: Path, size: int, path: str) -> Image.Image:
    """One letter on a gray square, its size, turn, place and shades drawn by lot for `path`."""
    height, turn, x, y, ink, paper = (
        lot("letter", path, what) for what in ("height", "turn", "x", "y", "ink", "paper")
    )
    font = ImageFont.truetype(file, round(size * (0.6 + 0.3 * height)))
    left, top, right, bottom = font.getbbox(letter)
    stencil = Image.new("L", (size, size), 0)
    room_x, room_y = size - (right - left), size - (bottom - top)
    corner = (room_x * (0.3 + 0.4 * x) - left, room_y * (0.3 + 0.4 * y) - top)
    ImageDraw.Draw(stencil).text(corner, letter, fill=255, font=font)
    stencil = stencil.rotate(24 * turn - 12, Image.Resampling.BICUBIC)
    sheet = Image.new("L", (size, size), round(170 + 85 * paper))
    sheet.paste(round(100 * ink), mask=stencil)
    return sheet


_SKY_CLASSES = {3: "open cluster", 4: "globular cluster", 5: "nebula", 6: "planetary nebula", 8: "galaxy"}
_SKY_NAME = re.compile(r"(m|n|ic)(\d+)")
_SKY_CATALOG = {"m": "M", "n": "NGC", "ic": "IC"}


def astronomy(size: int, test_share: float) -> PictureSet:
    """Telescope photographs of deep-sky objects, five kinds as classes, joined by catalog number to their kind."""
    kinds = _sky_kinds()
    classes = tuple(sorted(_SKY_CLASSES.values()))
    pictures: dict[str, Picture] = {}
    folder = source_folder("stellarium") / "usr" / "share" / "stellarium" / "nebulae" / "default"
    for file in sorted(folder.glob("*.png")):
        number = _SKY_NAME.match(file.name)
        name = f"{_SKY_CATALOG[number[1]]} {number[2]}" if number else ""
        if name in kinds and name not in pictures:
            image = to_square(Image.open(file).convert("RGBA").convert("RGB"), size, "crop")
            pictures[name] = Picture(f"{kinds[name]}/{file.name}", image, classes.index(kinds[name]), "train")
    whole = PictureSet(classes, tuple(pictures.values())).without_copies()
    return whole.with_test(whole.drawn(test_share, "astronomy"))


def _sky_kinds() -> dict[str, str]:
    """Class of each object by its name, such as "NGC 224" -> "galaxy"; objects of other kinds are left out."""
    catalog = source_folder("kstars") / "usr" / "share" / "kstars" / "OpenNGC.kscat"
    with closing(sqlite3.connect(catalog)) as database:
        rows = database.execute("SELECT name, catalog_identifier, type FROM cat").fetchall()
    kinds = {}
    for name, identifier, kind in rows:
        if kind in _SKY_CLASSES:
            numbered = re.fullmatch(r"(NGC|IC)0*(\d+)", identifier or "")
            if numbered:
                kinds[f"{numbered[1]} {numbered[2]}"] = _SKY_CLASSES[kind]
            kinds[name.strip()] = _SKY_CLASSES[kind]
    return kinds


# Script -> folder of Omniglot. Both lie in one file of it, and neither looks like Latin letters, which a teacher knows.
_SCRIPTS = {"katakana": "Japanese_(katakana)", "Sanskrit": "Sanskrit"}


def handwriting(test_writers: int) -> PictureSet:
    """Characters of two scripts, each drawn once by 20 people, black on white, 105 px; `test_writers` a script to test.

    The number that ends a file's name stands for the same person in all characters of one script.
    """
    root = source_folder("omniglot") / "images_background_small2"
    classes: list[str] = []
    pictures = []
    for script, folder in _SCRIPTS.items():
        writers = sorted({file.stem.rpartition("_")[2] for file in (root / folder).rglob("*.png")})
        test = set(by_lot(writers, "handwriting", script)[:test_writers])
        for character in sorted((root / folder).iterdir()):
            classes.append(f"{script} {character.name.removeprefix('character')}")
            for file in sorted(character.glob("*.png")):
                writer = file.stem.rpartition("_")[2]
                path = f"{classes[-1]}/writer-{writer}.png"
                split = "test" if writer in test else "train"
                pictures.append(Picture(path, Image.open(file).convert("L"), len(classes) - 1, split))
    return PictureSet(tuple(classes), tuple(pictures)).without_copies()


# (Kind of silicon, probability of a defect) -> class. The cells that the experts were not sure of are left out.
_CELL_CLASSES = {
    ("mono", 1.0): "monocrystalline, defective",
    ("mono", 0.0): "monocrystalline, intact",
    ("poly", 1.0): "polycrystalline, defective",
    ("poly", 0.0): "polycrystalline, intact",
}
# The list names no modules, but it goes module by module: the kind changes nine times in 2,624 cells, the brightness
# about every 60. Whole stretches between two changes of kind, counted from 0, are the test: no module is cut, about a
# quarter of the cells is held out, and each class is well represented.
_TEST_STRETCHES = frozenset({1, 2, 6, 8})


def solar_cells(size: int) -> PictureSet:
    """Solar cells photographed by their own infrared glow, gray, 300 px scaled to `size`; test modules of their own."""
    folder = source_folder("solar-cells") / "elpv_dataset" / "data"
    classes = tuple(_CELL_CLASSES.values())
    pictures = []
    stretch, last_kind = -1, ""
    for line in (folder / "labels.csv").read_text().splitlines():
        file, probability, kind = line.split()
        stretch, last_kind = stretch + (kind != last_kind), kind
        name = _CELL_CLASSES.get((kind, float(probability)))
        if name is not None:
            image = to_square(Image.open(folder / file).convert("L"), size, "squash")
            split = "test" if stretch in _TEST_STRETCHES else "train"
            pictures.append(Picture(f"{name}/{Path(file).name}", image, classes.index(name), split))
    return PictureSet(classes, tuple(pictures)).without_copies()
