"""A link that takes the place of a file or folder after it was listed or imported leads nowhere."""

import errno
import hashlib
import os

import numpy as np
import pytest

from engine.errors import StorageError
from engine.files import write_json
from engine.images.opening import open_file, open_folder
from engine.intake.sources import FolderTree
from engine.intake.sources import folder as sources_folder
from engine.settings import ImportSettings
from engine.tasks.image_table import image_table, write_reference_table


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.jpg").write_bytes(b"a cat")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.jpg").write_bytes(b"a secret")
    return tmp_path / "images"


def replace_by_link(path, target):
    if path.is_dir():
        path.rename(path.with_name("moved away"))
    else:
        path.unlink()
    path.symlink_to(target)


@pytest.mark.parametrize("swapped", ["cat/1.jpg", "cat", ""])
def test_what_became_a_link_after_the_listing_is_not_read(folder, swapped):
    tree = FolderTree(folder, ImportSettings())
    assert tree.read("cat/1.jpg", 100) == b"a cat"
    secret = folder.parent / "elsewhere"
    if not swapped:
        (secret / "cat").mkdir()
        (secret / "1.jpg").rename(secret / "cat" / "1.jpg")
    replace_by_link(folder / swapped, secret / "1.jpg" if swapped.endswith("jpg") else secret)
    with pytest.raises(StorageError, match="reached by a link"):
        tree.read("cat/1.jpg", 100)


def test_a_link_that_was_allowed_leads_where_it_led(folder):
    (folder / "cat" / "2.jpg").symlink_to("1.jpg")
    tree = FolderTree(folder, ImportSettings())
    replace_by_link(folder / "cat" / "2.jpg", folder.parent / "elsewhere" / "1.jpg")
    assert tree.read("cat/2.jpg", 100) == b"a cat"


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(folder):
    tree = FolderTree(folder, ImportSettings())
    (folder / "cat" / "1.jpg").unlink()
    os.mkfifo(folder / "cat" / "1.jpg")
    with pytest.raises(StorageError, match="no regular file"):
        tree.read("cat/1.jpg", 100)


def test_a_folder_is_listed_itself(folder, monkeypatch):
    """A folder that becomes a link between its name and its listing."""
    plain = os.scandir

    def listing(place):
        if not isinstance(place, int) or not os.path.samestat(os.fstat(place), folder.stat()):
            return plain(place)
        found = plain(place)
        entries = list(found)
        assert entries[0].is_dir(follow_symlinks=False)
        replace_by_link(folder / "cat", folder.parent / "elsewhere")
        return _Listing(entries)

    supported = {listing, *os.supports_fd}
    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(os, "supports_fd", supported)
    tree = FolderTree(folder, ImportSettings())
    assert dict(tree.files) == {}
    assert [skipped.name for skipped in tree.skipped] == ["cat"]


class _Listing(list):
    def __enter__(self):
        return iter(self)

    def __exit__(self, *error):
        return None


def content(table):
    """The bytes of the one image of a table."""
    [(found, _)] = table.contents(np.array([0]))
    return found


def in_place(home, path):
    about = path.stat()
    row = {"image_id": "1", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": None, "path": str(path)}
    row |= {"size": about.st_size, "modified": about.st_mtime_ns}
    (home.tasks / "cats").mkdir(parents=True)
    write_reference_table(home.tasks / "cats" / "images.parquet", iter([row]))
    return image_table(home, "cats")


def test_a_file_read_in_place_is_not_read_through_a_link_of_its_age_and_size(folder, home):
    path = folder / "cat" / "1.jpg"
    table = in_place(home, path)
    assert content(table) == b"a cat"
    about = path.stat()
    secret = folder.parent / "elsewhere" / "2.jpg"
    secret.write_bytes(b"a cat")
    os.utime(secret, ns=(about.st_atime_ns, about.st_mtime_ns))
    replace_by_link(path, secret)
    with pytest.raises(StorageError, match="reached by a link"):
        content(table)
    write_json(home.path / "settings.json", {"import": {"roots": [str(folder.parent)]}})
    assert content(table) == b"a cat"  # version 0.1 wrote links into such folders by their own name


def test_a_missing_file_is_said_as_missing(folder):
    with pytest.raises(FileNotFoundError):
        open_file(folder / "cat" / "9.jpg")


def test_a_folder_that_may_not_be_read_is_skipped_and_said(folder, monkeypatch):
    def refusing(path, *rest):
        if path.name == "closed":  # as for a user who may not; whoever may read everything is refused nothing
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_folder(path, *rest)

    monkeypatch.setattr(sources_folder, "open_folder", refusing)
    (folder / "closed").mkdir()
    tree = FolderTree(folder, ImportSettings())
    assert [(skipped.name, "Permission" in skipped.reason) for skipped in tree.skipped] == [("closed", True)]
