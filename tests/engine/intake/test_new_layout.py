"""A new layout is one file and one line: the file is toy_layout.py, the line is the one that names it here."""

import io

import pytest
from PIL import Image

from engine.intake import Columns, layouts
from engine.intake.inventory import Found
from engine.intake.sources import open_tree
from engine.settings import ImportSettings
from tests.engine.intake import toy_layout


@pytest.fixture
def recognized(tmp_path, monkeypatch):
    """What is recognized of files, with the toy among the layouts."""
    monkeypatch.setattr(layouts, "KNOWN", (toy_layout.notes_beside_images, *layouts.KNOWN))

    def of(**files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        settings = ImportSettings()
        return layouts.recognize(Found(open_tree(tmp_path, settings), settings, Columns()))

    return of


def png(color):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(stream, "PNG")
    return stream.getvalue()


def test_it_is_recognized_and_its_images_are_read(recognized):
    files = {
        "a.png": png("red"),
        "a.class": b"round\n",
        "b.png": png("blue"),
        "b.class": b"long",
        "c.png": png("white"),
    }
    inventory = recognized(**files)
    assert inventory.layout == "notes"
    assert {item.name: item.label for item in inventory.items} == {"a.png": "round", "b.png": "long", "c.png": None}
    assert [inventory.read(item) for item in inventory.items] == [files[name] for name in ("a.png", "b.png", "c.png")]


def test_what_is_not_its_own_goes_on_to_the_others(recognized):
    inventory = recognized(**{"round/a.png": png("red"), "long/b.png": png("blue")})
    assert inventory.layout == "class-folders"
    assert {item.label for item in inventory.items} == {"round", "long"}
