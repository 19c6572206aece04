import errno
import io
import json
import os
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest

from engine import jobs
from engine.errors import (
    BusyError,
    CancelledError,
    DamagedFileError,
    FullDiskError,
    InvalidInputError,
    StorageError,
    UnknownNameError,
)
from engine.handlers import HANDLERS
from engine.images.decoder import Decoder, Decoders
from engine.images.reading import Reading
from engine.intake import (
    ARCHIVE_SUFFIXES,
    SINGLE_TABLES,
    ImportRequest,
    check_allowed,
    import_images,
    ingest,
    keep_upload,
    preview,
    request_for,
    request_import,
)
from engine.intake.import_job import offered_sources
from engine.intake.sources import folder as folder_tree
from engine.intake.uploads import upload_path
from engine.jobs import FileLock
from engine.review import checked, open_task
from engine.settings import ImportSettings, import_settings
from engine.tasks import bundled_names, given_labels, image_table, task_names
from tests.engine.intake import made_sources as made
from tests.engine.intake.proposing import propose


@pytest.fixture
def pets(tmp_path):
    return made.put(tmp_path / "pets", made.classes_of(8))


def own(home):
    return [name for name in task_names(home) if name not in bundled_names()]


def test_a_proposal_decodes_nothing_and_writes_nothing(home, pets):
    found = propose(home, str(pets))
    assert (found.layout, len(found.items)) == ("class-folders", 16)
    assert {item.label for item in found.items} == {"cat", "dog"}
    assert not home.path.exists()


def test_unreadable_images_are_listed_and_skipped(bring, pets):
    (pets / "cat" / "bad.jpg").write_bytes(b"not an image")
    (pets / "dog" / "empty.png").write_bytes(b"")
    now = checked(bring(pets))
    assert now.about.unreadable_count == 2
    assert [name for name, _ in now.about.unreadable] == ["cat/bad.jpg", "dog/empty.png"]
    assert len(now.review.labels) == 16


def test_nothing_readable_leaves_nothing(bring, home, tmp_path):
    folder = made.put(tmp_path / "bad", {f"{c}/{i}.jpg": b"x" for c in "ab" for i in range(3)})
    with pytest.raises(InvalidInputError, match="None of the 6 images can be read"):
        bring(folder)
    assert own(home) == []
    assert not list((home.imports).iterdir())


def test_no_task_is_ever_overwritten(bring, pets):
    first = bring(pets)
    with pytest.raises(InvalidInputError, match="already: choose another name"):
        bring(pets)
    with pytest.raises(InvalidInputError, match="already"):
        bring(pets, title="Quickdraw", name="quickdraw")
    assert open_task(first.workspace, "mine").revision == first.revision


def test_a_task_that_appears_during_an_import_is_kept(home, decoders, pets):
    def somebody_else(done, total, stage):
        if stage == "Checking":
            made.put(home.tasks / "mine", {"task.json": "{}"})

    with pytest.raises(InvalidInputError, match="already"):
        import_images(home, ImportRequest(source=str(pets), title="mine"), decoders=decoders, progress=somebody_else)
    assert (home.tasks / "mine" / "task.json").read_text() == "{}"
    assert not list((home.imports).iterdir())


class StoppedError(CancelledError):
    pass


def stopping_at(count):
    def progress(done, total, stage):
        if done >= count:
            raise StoppedError("stopped")

    return progress


def test_a_stopped_import_goes_on_after_its_last_part(home, decoders, pets, monkeypatch):
    monkeypatch.setattr(ingest, "PART_IMAGES", 4)
    request = ImportRequest(source=str(pets), title="mine")
    with pytest.raises(StoppedError):
        import_images(home, request, decoders=decoders, progress=stopping_at(10))
    assert own(home) == []
    told = []
    task = import_images(
        home, request, decoders=decoders, progress=lambda done, total, stage: told.append((done, stage))
    )
    assert (8, "Reading the images") in told  # two parts of four were there
    assert not any(0 < done < 8 for done, _ in told)
    whole = import_images(home, replace(request, title="whole"), decoders=decoders)
    assert task.images.image_ids == whole.images.image_ids
    assert task.labels.tolist() == whole.labels.tolist()
    assert task.images.content_hash == whole.images.content_hash
    assert not list((home.imports).iterdir())


def test_a_damaged_part_is_done_again(home, decoders, pets, monkeypatch):
    monkeypatch.setattr(ingest, "PART_IMAGES", 4)
    request = ImportRequest(source=str(pets), title="mine")
    with pytest.raises(StoppedError):
        import_images(home, request, decoders=decoders, progress=stopping_at(10))
    part = next((home.imports).glob("*/part-00000.parquet"))
    part.write_bytes(b"half")
    assert len(import_images(home, request, decoders=decoders).images) == 16


def test_changed_sources_are_not_taken_up_halfway(home, decoders, pets, monkeypatch):
    monkeypatch.setattr(ingest, "PART_IMAGES", 4)
    request = ImportRequest(source=str(pets), title="mine")
    with pytest.raises(StoppedError):
        import_images(home, request, decoders=decoders, progress=stopping_at(10))
    (pets / "cat" / "new.jpg").write_bytes(made.jpg(777))
    assert len(import_images(home, request, decoders=decoders).images) == 17


def test_a_table_elsewhere_that_was_mended_is_not_taken_up_halfway(home, decoders, tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "PART_IMAGES", 3)
    pictures = made.put(tmp_path / "pics", {f"{i}.jpg": made.jpg(i) for i in range(10)})
    rows = [[f"{i}.jpg", "ab"[i % 2]] for i in range(10)]
    wrong = [[name, "ba"["ab".index(label)]] for name, label in reversed(rows)]
    table = made.put(tmp_path / "tab", {"labels.csv": made.table([["image", "label"], *wrong])}) / "labels.csv"
    request = ImportRequest(source=str(table), title="mine", images=str(pictures))
    with pytest.raises(StoppedError):
        import_images(home, request, decoders=decoders, progress=stopping_at(7))
    table.write_text(made.table([["image", "label"], *rows]))
    task = import_images(home, request, decoders=decoders)
    assert list(zip(task.images.image_ids, given_labels(task), strict=True)) == [tuple(row) for row in rows]


def test_images_that_changed_but_for_their_size_are_not_taken_up_halfway(home, decoders, tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "PART_IMAGES", 4)
    plain = {f"{c}/{i}.bmp": made.encoded(made.picture(9 * ord(c) + i), "BMP") for c in "ab" for i in range(4)}
    folder = made.put(tmp_path / "x", plain)
    request = ImportRequest(source=str(folder), title="mine")
    with pytest.raises(StoppedError):
        import_images(home, request, decoders=decoders, progress=stopping_at(6))
    name = "a/0.bmp"
    (folder / name).write_bytes(made.encoded(made.picture(5000), "BMP"))
    os.utime(folder / name, ns=(1, 1))  # of another time, however coarse the file system's are
    task = import_images(home, request, decoders=decoders)
    assert np.array_equal(next(task.images.decoded([0])), made.picture(5000))


def moved_away(folder, at):
    def progress(done, total, stage):
        if done >= at and folder.exists():
            folder.rename(folder.with_name("away"))

    return progress


def test_an_import_whose_source_goes_away_stops_and_goes_on_when_it_is_back(home, decoders, pets, monkeypatch):
    monkeypatch.setattr(ingest, "PART_IMAGES", 4)
    request = ImportRequest(source=str(pets), title="mine")
    with pytest.raises(StorageError, match=r"pets went away while .* was read .*: bring back the disk or share"):
        import_images(home, request, decoders=decoders, progress=moved_away(pets, 5))
    assert own(home) == []
    pets.with_name("away").rename(pets)
    told = []
    task = import_images(
        home, request, decoders=decoders, progress=lambda done, total, stage: told.append((done, stage))
    )
    assert not any(0 < done < 4 for done, _ in told)
    assert len(task.images) == 16
    assert checked(task).about.unreadable_count == 0
    assert not list(home.imports.iterdir())


def test_a_source_read_in_place_that_goes_away_stops_the_import_as_well(home, decoders, pets, tmp_path):
    settings_of(home, roots=[str(tmp_path)])
    with pytest.raises(StorageError, match="went away"):
        import_images(
            home, ImportRequest(source=str(pets), title="mine"), decoders=decoders, progress=moved_away(pets, 5)
        )


def test_a_disk_that_fails_stops_the_import(home, decoders, pets, monkeypatch):
    def failing(path):
        if path.name == "7.jpg":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return plain(path)

    plain = folder_tree.open_file
    monkeypatch.setattr(folder_tree, "open_file", failing)
    with pytest.raises(StorageError, match=r"went away while cat/7\.jpg was read \(Stale file handle\)"):
        import_images(home, ImportRequest(source=str(pets), title="mine"), decoders=decoders)


def test_a_single_file_that_is_gone_is_left_out_and_named(home, decoders, pets):
    def remove(done, total, stage):
        if total:  # the images were found
            (pets / "dog" / "7.jpg").unlink(missing_ok=True)

    task = import_images(home, ImportRequest(source=str(pets), title="mine"), decoders=decoders, progress=remove)
    assert [name for name, _ in checked(task).about.unreadable] == ["dog/7.jpg"]


def test_a_full_disk_leaves_what_is_done_so_that_the_import_goes_on(home, decoders, pets, monkeypatch):
    monkeypatch.setattr(ingest, "PART_IMAGES", 4)
    request = ImportRequest(source=str(pets), title="mine")
    plain, full = ingest.replacing, [True]

    def replacing(path, **rest):
        if full[0] and path.name == "part-00002.parquet":
            raise FullDiskError("No space left while writing it: free some.", path, 1000)
        return plain(path, **rest)

    monkeypatch.setattr(ingest, "replacing", replacing)
    with pytest.raises(FullDiskError):
        import_images(home, request, decoders=decoders)
    full[0], told = False, []
    task = import_images(
        home, request, decoders=decoders, progress=lambda done, total, stage: told.append((done, stage))
    )
    assert (8, "Reading the images") in told
    assert not any(0 < done < 8 for done, _ in told)
    assert len(task.images) == 16
    assert not list(home.imports.iterdir())


def test_what_was_left_of_old_imports_is_removed(home, bring, pets):
    old = home.imports / "0123456789abcdef"
    old.mkdir(parents=True)
    os.utime(old, (time.time() - 8 * 86_400,) * 2)
    bring(pets)
    assert not old.exists()


def test_the_same_import_twice_at_once_is_refused(home, decoders, pets):
    request = ingest.with_name(ImportRequest(source=str(pets), title="mine"))
    found = propose(home, str(pets))
    key = ingest._key(request, found)
    with FileLock(home, f"import-{key}"), pytest.raises(BusyError, match="under way"):
        import_images(home, request, decoders=decoders)


def settings_of(home, **values):
    home.path.mkdir(parents=True, exist_ok=True)
    (home.path / "settings.json").write_text(json.dumps({"import": values}))


def test_folders_in_an_allow_listed_root_are_read_in_place(home, bring, pets, tmp_path):
    settings_of(home, roots=[str(tmp_path)])
    task = bring(pets)
    assert checked(task).about.in_place
    assert (task.folder / "images.parquet").stat().st_size < 20_000
    assert np.asarray(next(task.images.decoded([0]))).shape == (24, 24, 3)
    name = task.images.image_ids[0]
    (pets / name).write_bytes(made.jpg(12345))
    with pytest.raises(DamagedFileError, match="has changed since it was imported"):
        next(open_task(home, "mine").images.decoded([0]))
    (pets / name).unlink()
    with pytest.raises(DamagedFileError, match="not there any more"):
        next(open_task(home, "mine").images.decoded([0]))


def test_copies_from_an_allow_listed_root_outlive_its_files(home, bring, pets, tmp_path):
    settings_of(home, roots=[str(tmp_path)])
    task = bring(pets, in_place=False)
    assert not checked(task).about.in_place
    shutil.rmtree(pets)
    assert np.asarray(next(task.images.decoded([0]))).shape == (24, 24, 3)


def test_reading_in_place_is_refused_where_it_is_not_allowed(bring, pets):
    with pytest.raises(InvalidInputError, match="only from a folder in an allow-listed root"):
        bring(pets, in_place=True)


def test_what_must_be_converted_is_stored_even_in_place(home, bring, tmp_path):
    settings_of(home, roots=[str(tmp_path)])
    folder = made.put(tmp_path / "x", {f"{c}/{i}.dcm": made.dicom(10 * ord(c) + i) for c in "ab" for i in range(3)})
    task = bring(folder)
    shutil.rmtree(folder)
    assert next(task.images.decoded([0])).size == (20, 16)


def test_outside_of_the_roots_the_app_imports_nothing(home, pets, tmp_path):
    settings_of(home, roots=[str(tmp_path / "allowed")])
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "way-out").symlink_to(pets)
    for path in (pets, tmp_path / "allowed" / "way-out", tmp_path / "allowed" / ".." / "pets", "/etc", "\0"):
        with pytest.raises(InvalidInputError, match="lies in no folder that this server may import from"):
            request_import(home, ImportRequest(source=str(path), title="mine"))


def test_what_is_read_is_what_was_checked_of_a_path_with_a_home(home, pets, tmp_path, monkeypatch):
    """A folder called ~ or ~somebody in a root is allowed, and whose home that may be is not."""
    (tmp_path / "root" / "~").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "root")
    monkeypatch.setenv("HOME", str(tmp_path))
    settings_of(home, roots=[str(tmp_path / "root")])
    for ask in (request_import, preview):
        with pytest.raises(InvalidInputError, match="lies in no folder that this server may import from"):
            ask(home, ImportRequest(source="~/pets", title="mine"))
    with pytest.raises(InvalidInputError, match="lies in no folder"):
        check_allowed(home, "~/pets")
    settings_of(home, roots=[str(tmp_path)])
    assert check_allowed(home, "~/pets") == pets
    job = request_import(home, ImportRequest(source="~/pets", title="mine"))
    assert job.spec["source"] == str(pets)
    assert preview(home, ImportRequest(source="~/pets", title="mine"), samples=1).images == 16


def test_an_unknown_patient_is_no_group(bring, tmp_path):
    folder = made.put(
        tmp_path / "x", {f"{c}/{i}.dcm": made.dicom(i + 9 * ord(c), patient="NA") for c in "ab" for i in (1, 2)}
    )
    assert set(checked(bring(folder)).facts.groups.tolist()) == {""}


def test_links_that_lead_out_are_skipped(bring, pets, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(made.jpg(99))
    (pets / "cat" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (pets / "cat" / "inside.jpg").symlink_to(pets / "cat" / "0.jpg")
    os.mkfifo(pets / "cat" / "pipe.jpg")
    about = checked(bring(pets)).about
    assert ("cat/link.jpg", "is a link that leads out of the folder") in about.skipped
    assert ("cat/pipe.jpg", "is no regular file") in about.skipped
    assert about.skipped_count == 2


def test_a_job_imports_in_its_own_process_and_only_once(home, pets, tmp_path):
    settings_of(home, roots=[str(tmp_path)])
    request = ImportRequest(source=str(pets), title="Grüße 猫")
    job = request_import(home, request)
    assert (job.device, job.lane) == ("cpu", jobs.IMPORT)
    assert jobs.worker.run(job.folder, HANDLERS) == 0
    found = jobs.status(job)
    assert (found.state, found.done, found.unit) == ("done", 16, "images")
    assert own(home) == ["grusse"]
    assert open_task(home, "grusse").record.title == "Grüße 猫"
    with pytest.raises(InvalidInputError, match="already"):
        request_import(home, request)


def test_a_failed_job_says_why(home, tmp_path):
    settings_of(home, roots=[str(tmp_path)])
    (tmp_path / "empty").mkdir()
    job = request_import(home, ImportRequest(source=str(tmp_path / "empty"), title="nothing"))
    assert jobs.worker.run(job.folder, HANDLERS) == 1
    assert "holds no image files" in str(jobs.status(job).message)


def test_a_cancelled_job_goes_on_when_asked_again(home, pets, tmp_path):
    settings_of(home, roots=[str(tmp_path)])
    request = ImportRequest(source=str(pets), title="mine")
    job = request_import(home, request)
    jobs.request_cancel(job)
    assert jobs.status(job).state == "cancelled"
    assert own(home) == []
    assert jobs.status(request_import(home, request)).state == "queued"


def test_large_images_come_in_small_row_groups(bring, tmp_path, monkeypatch):

    monkeypatch.setattr(image_table, "GROUP_BYTES", 3000)
    task = bring(made.put(tmp_path / "pets", made.classes_of(8)))
    assert task.images._file.num_row_groups == 4  # of about 900 bytes each
    assert all(next(task.images.decoded([row])).size == (24, 24) for row in range(16))


# Decoder processes


def test_a_decoder_that_crashes_or_hangs_names_the_file_and_is_replaced(monkeypatch):
    decoder = Decoder(ImportSettings(decode_seconds=20))
    try:
        good = decoder.look(made.jpg(1), "good.jpg", Reading())
        assert (good.width, good.height, good.stored) == (24, 24, None)
        decoder.process.start().kill()
        decoder.process.start().wait()
        assert decoder.look(made.jpg(1), "good.jpg", Reading()) == good  # a dead one is replaced
        os.kill(decoder.process.start().pid, 19)  # SIGSTOP: a decoder that never answers
        decoder.process.seconds = 0.2
        with pytest.raises(DamagedFileError, match=r"slow\.jpg was still being decoded after 0\.2 s"):
            decoder.look(made.jpg(1), "slow.jpg", Reading())
    finally:
        decoder.close()


def test_a_decoder_may_not_fill_the_memory_nor_write(tmp_path):
    decoder = Decoder(ImportSettings(decode_bytes=400_000_000, pixels=64_000_000))
    try:
        from PIL import Image

        bomb = made.encoded(Image.new("L", (8000, 8000)))
        with pytest.raises(DamagedFileError, match=r"needs more memory|crash|cannot be read"):
            decoder.look(bomb, "bomb.png", Reading())
        assert decoder.look(made.jpg(1), "good.jpg", Reading()).width == 24
    finally:
        decoder.close()


def test_items_that_cannot_be_read_keep_their_place(decoders):
    def read(item):
        if item == 1:
            raise DamagedFileError("gone")
        return (b"junk" if item == 2 else made.jpg(item)), f"{item}.jpg"

    seen = [(item, type(what).__name__) for item, _, what in decoders.look_at(range(4), read, Reading())]
    assert seen == [(0, "Looked"), (1, "DamagedFileError"), (2, "DamagedFileError"), (3, "Looked")]


# Settings and uploads


def test_settings_name_what_is_wrong(home):
    assert import_settings(home) == ImportSettings()
    settings_of(home, images=10)
    assert import_settings(home).images == 10
    for wrong, sentence in (
        ({"imges": 1}, "no setting 'imges'"),
        ({"images": 0}, "images is 0: choose a number above 0"),
        ({"images": True}, "images is True"),
        ({"roots": ["data"]}, "absolute paths"),
        ({"pixels": 10**9}, "more than 64,000,000"),
    ):
        settings_of(home, **wrong)
        with pytest.raises(InvalidInputError, match=sentence):
            import_settings(home)


def test_limits_are_told(home, bring, pets):
    settings_of(home, images=5)
    with pytest.raises(InvalidInputError, match="more than 5 images"):
        bring(pets)


def test_an_upload_is_never_a_path(home, tmp_path):
    source = keep_upload(home, [("../../etc/cron.d/x.jpg", io.BytesIO(b"a")), ("C:\\y.jpg", io.BytesIO(b"b"))])
    assert [path.parent for path in home.path.rglob("*") if path.is_file()] == [home.uploads]
    for wrong in ("upload:../../etc/passwd", "upload:", "upload:" + "0" * 32, source + "/x"):
        with pytest.raises(UnknownNameError, match="drop the files again"):
            request_import(home, ImportRequest(source=wrong, title="x"))


@pytest.mark.parametrize("suffix", [*ARCHIVE_SUFFIXES, *SINGLE_TABLES])
def test_archives_and_tables_are_known_by_their_names_wherever_they_come_from(home, tmp_path, suffix):
    upload = keep_upload(home, [(f"Birds{suffix.upper()}", io.BytesIO(b"bytes"))])
    assert upload_path(home, upload).read_bytes() == b"bytes"  # kept as it is, and not packed with others
    (tmp_path / f"birds{suffix}").write_bytes(b"bytes")
    home.settings.write_text(json.dumps({"import": {"roots": [str(tmp_path)]}}))
    assert str(tmp_path / f"birds{suffix}") in offered_sources(home)


def test_an_upload_beyond_the_limit_is_refused_and_leaves_nothing(home):
    import io

    settings_of(home, upload_bytes=10)
    with pytest.raises(InvalidInputError, match="More than 10 bytes were dropped"):
        keep_upload(home, [("a.zip", io.BytesIO(b"x" * 11))])
    assert not list((home.uploads).iterdir())


def test_a_dropped_table_sees_no_other_uploads(home, decoders):
    import io

    other = made.zipped(home.path.parent / "other.zip", made.classes_of(3))
    with other.open("rb") as file:
        keep_upload(home, [("other.zip", file)])
    source = keep_upload(home, [("x.csv", io.BytesIO(b"path,label\ncat/0.jpg,a\n"))])
    with pytest.raises(InvalidInputError, match="none of the images it names is there"):
        import_images(home, ImportRequest(source=source, title="x"), decoders=decoders)


def test_a_pool_of_decoders_gives_images_in_order():
    with Decoders(ImportSettings(decoders=2)) as several:
        found = several.look_at(range(6), lambda i: (made.jpg(i), str(i)), Reading())
        assert [item for item, _, _ in found] == list(range(6))


@pytest.mark.parametrize(("source", "why"), [("~nobody-here/images", "does not know"), ("", "No source is named")])
def test_a_source_that_is_no_path_is_refused_in_a_sentence(source, why):
    with pytest.raises(InvalidInputError, match=why):
        request_for(source)


def test_a_source_in_the_home_of_nobody_is_refused_by_the_import_as_well(home, decoders):
    with pytest.raises(InvalidInputError, match="does not know"):
        import_images(home, ImportRequest(source="~nobody-here/images", title="mine"), decoders=decoders)
