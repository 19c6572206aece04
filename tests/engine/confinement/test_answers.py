"""What the program makes of answers from a process that its bytes took over."""

import pytest

from engine.confinement import Confined
from engine.errors import DamagedFileError
from engine.images.decoder import Decoder
from engine.images.reading import Reading
from engine.intake.discovery import find_images
from engine.intake.inventory import Item
from engine.intake.request import ImportRequest
from engine.settings import ImportSettings

SEEN = {"width": 4, "height": 3, "steps": [], "patient": "", "phash": "0f", "small": "AAAA" * 64, "channels": 3}
SEEN |= {"values": None}
FOUND = {
    **{"layout": "x", "layout_title": "x", "fingerprint": "0", "classes": [], "notes": [], "skipped": []},
    **{"skipped_more": 0, "collection": "", "license": "", "columns": None, "all_columns": [], "reading": None},
    **{"questions": [], "encodings": {}},
}  # fmt: skip
ITEMS = b'{"name": ["a"], "label": {"places": [0], "texts": [null]}, "split": {"places": [0], "texts": [null]}, '
ITEMS += b'"group": {"places": [0], "texts": [null]}}'


@pytest.fixture
def answering(monkeypatch):
    """Let every process give one answer."""

    def give(answer, payload=b""):
        monkeypatch.setattr(Confined, "ask", lambda self, header, content=b"": (answer, payload))

    return give


def test_an_answer_of_a_decoder_is_taken_as_agreed(answering):
    answering(SEEN)
    assert Decoder(ImportSettings()).look(b"", "a.jpg", Reading()).phash == 15


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"height": float("inf")},
        {"steps": 3},
        {"phash": "no number"},
        {"phash": "f" * 17},
        {"small": "AAAA"},
        {"small": "%"},
        {"channels": None},
        {"values": [1, 2]},
        {"values": {"lowest": 1}},
    ],
    ids=str,
)
def test_another_answer_of_a_decoder_is_a_crash(answering, wrong):
    answering({**SEEN, **wrong})
    with pytest.raises(DamagedFileError, match=r"^a\.jpg made its decoder crash"):
        Decoder(ImportSettings()).look(b"", "a.jpg", Reading())


@pytest.mark.parametrize(
    "wrong", [{"classes": 3}, {"skipped": [1]}, {"columns": {"unknown": 1}}, {"notes": None}], ids=str
)
def test_another_answer_of_a_parser_is_a_crash(answering, home, wrong):
    answering({**FOUND, **wrong}, ITEMS)
    with pytest.raises(DamagedFileError, match=r"^z\.zip made the process that reads it crash"):
        find_images(home, ImportRequest("z.zip", "x"), ImportSettings())


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"name": ["a"]}', b"[" * 100_000])
def test_items_that_make_no_sense_are_a_crash(answering, home, payload):
    answering(FOUND, payload)
    with pytest.raises(DamagedFileError, match=r"^z\.zip made the process that reads it crash"):
        find_images(home, ImportRequest("z.zip", "x"), ImportSettings())


@pytest.mark.parametrize("path", ["/etc/passwd", "{root}/../secret", "{root}/link", "a\0b", 7, "relative"])
def test_a_parser_names_no_file_outside_of_the_allowed_folders(answering, home, tmp_path, path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "secret")
    answering(FOUND, ITEMS)
    found = find_images(home, ImportRequest("z.zip", "x"), ImportSettings(roots=(str(root),)))
    answering({"path": path.format(root=root) if isinstance(path, str) else path})
    assert found.path(Item("a", place=0)) is None
    answering({"path": str(root / "image.jpg")})
    assert found.path(Item("a", place=0)) == root / "image.jpg"
