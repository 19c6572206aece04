"""From a ZIP of one's own images to a ranking, in a real browser."""

import io
import json
import zipfile

import pyarrow.parquet as pq
import pytest
from PIL import Image
from playwright.sync_api import expect

from app.components.escaping import JOINER
from engine.tasks import catalogue, given_labels
from engine.tasks.task import load_task
from tests.browser.workbench import PAGES, PATIENCE, Workbench

CLASSES = {"Animals & Nature": "動物 🐾", "Flags": "<b>flags www.evil.example", "Food & Drink": "طعام"}
LABELED, UNLABELED = 8, 12  # of each class
LONG = 8 * PATIENCE


@pytest.fixture
def archive(tmp_path):
    """PNG files cut out of a bundled task, some in folders by class and some of no class."""
    file = pq.ParquetFile(catalogue.ASSETS / "emoji-fluent.parquet")
    names = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]["label"]["names"]
    table = file.read(columns=["image.bytes", "label"])
    path = tmp_path / "My emoji :smile: www.evil.example me@evil.example.zip"
    counts = dict.fromkeys(CLASSES, 0)
    with zipfile.ZipFile(path, "w") as packed:
        for image, label in zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True):
            name = names[label]
            if counts.get(name, LABELED + UNLABELED) == LABELED + UNLABELED:
                continue
            stream = io.BytesIO()
            Image.open(io.BytesIO(image["bytes"])).save(stream, "PNG")
            folder = f"labeled/{CLASSES[name]}" if counts[name] < LABELED else "unlabeled"
            packed.writestr(f"{folder}/{label}-{counts[name]}.png", stream.getvalue())
            counts[name] += 1
        packed.writestr(f"labeled/{CLASSES['Flags']}/broken.png", b"no image")
    return path


@pytest.mark.timeout(2400)  # only a machine that is busy elsewhere comes near it
def test_from_a_zip_to_a_ranking(tab: Workbench, server, archive):
    tab.open("")
    tab.button("Import images").click()
    tab.await_text("Where are your images?")
    tab.tab.locator("input[type=file]").first.set_input_files(archive)
    tab.await_text("Make this task", LONG)
    tab.await_text("labeled and unlabeled")
    tab.settle()
    tab.assert_sound()
    tab.button("Make this task").click()
    tab.await_text("Accept all", LONG)
    tab.await_text("1 file cannot be read")
    tab.settle()
    tab.button("Accept all").click()
    tab.await_text("Nothing is left to decide")
    label_three(tab, server)
    tab.go("teachers")
    tab.button("Rank the teachers").click()
    tab.await_text("Effective number of teachers", LONG)
    tab.settle()
    tab.assert_sound()
    for name in PAGES:  # nothing that a user wrote became a link; a heading's own begins with #
        tab.go(name)
        assert tab.tab.locator("a[href*=evil]:not([href^='#'])").count() == 0, name
        tab.assert_sound()
    tab.go("start")
    tab.await_text(f"My emoji :{JOINER}smile: www{JOINER}.evil.example me{JOINER}@evil.example")


def label_three(tab: Workbench, server) -> None:
    tab.tab.get_by_test_id("stMain").get_by_role("radio", name="Label").click()
    tab.await_text("Labeled 24 of 60")
    tab.settle()
    expect(tab.tab.locator(".tile")).to_have_count(24)
    expect(tab.tab.locator(".root")).to_be_focused()
    for key in ("1", "2", "3"):
        tab.tab.keyboard.press(key)
    tab.await_text("Labeled 27 of 60")
    tab.tab.keyboard.press("Backspace")
    tab.await_text("Labeled 26 of 60")
    tab.tab.get_by_role("toolbar", name="Classes").get_by_role("button").first.press("Enter")  # its own, not the grid's
    tab.await_text("Labeled 27 of 60")
    tab.tab.keyboard.press("Backspace")
    tab.await_text("Labeled 26 of 60")
    task = load_task(server.workspace, next(server.workspace.tasks.glob("my-emoji*")).name)
    assert sum(label is not None for label in given_labels(task)) == 26
    assert set(task.classes) == set(CLASSES.values())
    tab.assert_sound()


def test_the_import_page_fits_a_phone(phone: Workbench):
    phone.open("import")
    phone.await_text("Where are your images?")
    assert phone.overflow() <= 0
    phone.assert_sound()


def test_the_address_start_opens_the_start_page(tab: Workbench):
    tab.open("start")
    tab.await_text("Import images")
    assert tab.tab.url.rstrip("/") == tab.url
