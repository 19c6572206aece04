"""Folders and archives as trees of files: links, names that are there twice, and images that are none by name."""

import errno
import io
import os
import tarfile
import warnings
import zipfile

import pytest

from engine.errors import DamagedFileError, InvalidInputError, StorageError
from engine.intake import keep_upload
from engine.intake.discovery import inventory_of
from engine.intake.inventory import Columns, image_names
from engine.intake.sources import open_tree
from engine.intake.uploads import upload_path
from engine.review import checked
from engine.settings import ImportSettings
from tests.engine.intake import made_sources as made

JPEG = b"\xff\xd8\xff\xe0"


def find(path):
    return inventory_of(path, None, True, Columns(), ImportSettings(), {})


def found_in(now, key):
    return next((finding for finding in now.findings if finding.key == key), None)


def test_links_to_folders_are_a_warning(bring, tmp_path):
    folder = made.put(tmp_path / "set", {**made.classes_of(3), "notes.xyz": "x"})
    for name in ("bird", "frog"):
        made.put(tmp_path / "store" / name, {"0.jpg": made.jpg(50)})
        os.symlink(tmp_path / "store" / name, folder / name)
    (folder / "fish").write_text("../store/fish")  # as git checks links out where it cannot make any
    now = checked(bring(folder))
    links = found_in(now, "links")
    assert (links.severity, links.title) == ("warning", "3 links were not followed")
    assert sorted(name for name, _ in links.names) == ["bird", "fish", "frog"]
    assert found_in(now, "skipped").title == "1 file or row was skipped"
    assert "1: is no image by its name" in found_in(now, "skipped").text


def hub_cache(root):
    """A data set in a hub's cache: files under their hashes, and links to them under their names."""
    for number, name in enumerate(("cat/0.jpg", "dog/0.jpg")):
        made.put(root, {f"blobs/{number:040}": JPEG, "refs/main": "1"})
        link = root / "snapshots" / "1" / name
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(root / "blobs" / f"{number:040}", link.parent))
    return root


def test_a_snapshot_of_a_hubs_cache_says_what_to_do(tmp_path):
    root = hub_cache(tmp_path / "datasets--pets")
    with pytest.raises(InvalidInputError, match=r"snapshots/1 holds nothing but 2 links, .* hub's cache: .*cp -rL"):
        find(root / "snapshots" / "1")
    found = find(root)  # links inside of it are read, and what they lead to is not there a second time
    assert {item.name.split("/")[-2]: item.label for item in found.items} == {"cat": "cat", "dog": "dog"}


def test_images_are_known_by_content_where_their_name_is_odd(tmp_path):
    contents = {
        **{"a.jfif": JPEG, "b.jpg_large": JPEG, "c": JPEG, "d.unknown": b"\x89PNG\r\n\x1a\n", "e": b"II*\0"},
        **{"f.img": b"RIFF\0\0\0\0WEBPVP8 ", "IM0001": bytes(128) + b"DICM", "g.jpe": b"whatever the name says"},
    }
    others = {
        **{"photo.jpg.bak": JPEG, "raw.nef": b"II*\0", "half.crdownload": JPEG, "list.txt": JPEG, "x.bin": b"\xff\xd8"},
        "empty": b"",
    }
    tree = open_tree(made.put(tmp_path / "set", {**contents, **others}), ImportSettings())
    assert sorted(image_names(tree)) == sorted(contents)
    notes = find(tmp_path / "set").notes
    assert "5 files are images by content, though not by name (such as b.jpg_large: JPEG)." in notes


def zip_of(path, entries):
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there already
        for name, content in entries:
            archive.writestr(name, content)
    return path


def tar_of(path, entries):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.parametrize("again", ["cat/ä.jpg", "cat//ä.jpg", "cat/a\u0308.jpg"])
def test_two_entries_of_one_name_are_one_file_or_a_sentence(tmp_path, pack, again):
    whole = [("cat/ä.jpg", JPEG), ("dog/1.jpg", JPEG + b"1")]
    found = find(pack(tmp_path / "same", [*whole, (again, JPEG)]))
    assert [item.name for item in found.items] == ["cat/ä.jpg", "dog/1.jpg"]
    assert (
        "1 file is in the archive more than once with the same content, and counts once ('cat/ä.jpg')." in found.notes
    )
    with pytest.raises(InvalidInputError, match=r"2 different files of the one name 'cat/ä.jpg', .*: delete the wrong"):
        find(pack(tmp_path / "other", [*whole, (again, JPEG + b"2")]))


def test_dropped_files_of_one_name_keep_their_folder(home):
    dropped = [(f"{label}/{name}", io.BytesIO(JPEG)) for label in ("cat", "dog") for name in ("1.jpg", "1.jpg", "2")]
    source = keep_upload(home, [*dropped, ("dog/2", io.BytesIO(JPEG))])
    found = find(upload_path(home, source))
    assert [(item.name, item.label) for item in found.items] == [
        *[("cat/1.jpg", "cat"), ("cat/1 (2).jpg", "cat"), ("cat/2", "cat")],
        *[("dog/1.jpg", "dog"), ("dog/1 (2).jpg", "dog"), ("dog/2", "dog"), ("dog/2 (2)", "dog")],
    ]


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path):
    workbook = made.zipped(tmp_path / "notes.xlsx", {"xl/workbook.xml": "<x/>"}).read_bytes()
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        for name, content in {**made.classes_of(3), "notes.xlsx": workbook}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert {item.name for item in find(tmp_path / "set.tar").items} == set(made.classes_of(3))


def test_an_archive_whose_disk_goes_away_is_told_from_a_damaged_one(tmp_path, monkeypatch):
    def refused_with(error):
        found = find(made.zipped(tmp_path / "set.zip", made.classes_of(3)))
        monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *_: (_ for _ in ()).throw(error))
        try:
            found.read(found.items[0])
        finally:
            monkeypatch.undo()

    with pytest.raises(StorageError, match=r"set\.zip went away while cat/0\.jpg was read \(Input/output error\)"):
        refused_with(OSError(errno.EIO, "Input/output error"))
    with pytest.raises(DamagedFileError, match="is a damaged archive"):
        refused_with(zipfile.BadZipFile("Bad CRC-32"))


def test_what_a_source_is_taken_up_again_by_changes_with_its_content(tmp_path):
    folder = made.put(tmp_path / "set", made.classes_of(3))
    before = find(folder).fingerprint
    assert find(folder).fingerprint == before
    os.utime(folder / "cat" / "0.jpg", ns=(1, 1))
    assert find(folder).fingerprint != before
    packed = [
        find(made.zipped(tmp_path / "x.zip", {"a/0.jpg": JPEG + x, "b/0.jpg": JPEG})).fingerprint for x in (b"1", b"2")
    ]
    assert packed[0] != packed[1]
