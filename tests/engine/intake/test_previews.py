import io
from contextlib import nullcontext

import numpy as np
import pytest

from engine.errors import InvalidInputError
from engine.images import Reading
from engine.intake import Columns, ImportRequest, import_images, keep_upload, preview, previews
from engine.intake.uploads import in_the_users_words, upload_title
from engine.tasks import read_small
from tests.engine.intake import made_sources as made


@pytest.fixture(autouse=True)
def one_decoder(monkeypatch, decoders):
    monkeypatch.setattr(previews, "Decoders", lambda settings: nullcontext(decoders))


def uploaded(home, name, content):
    return keep_upload(home, [(name, io.BytesIO(content))])


def zipped(tmp_path, files):
    return made.zipped(tmp_path / "x.zip", files).read_bytes()


def test_a_preview_counts_and_shows_what_the_import_would_make(home, tmp_path):
    files = made.classes_of(9, prefix="train/") | made.classes_of(2, prefix="test/", first=500)
    files |= {"train/cat/broken.jpg": b"no", "train/readme.exe": b"x"}
    seen = preview(home, ImportRequest(uploaded(home, "pets.zip", zipped(tmp_path, files)), "x"))
    assert dict(seen.classes) == {"cat": 12, "dog": 11}
    assert (seen.images, seen.unlabeled, seen.test, seen.groups) == (23, 0, 4, 0)
    assert [name for name, _ in seen.skipped] == ["train/readme.exe"]
    assert len(seen.samples) == 12
    assert {sample.label for sample in seen.samples} == {"cat", "dog"}
    assert all(sample.size == (24, 24) for sample in seen.samples if sample.image)
    assert not (home.tasks).exists()


def test_a_sample_that_cannot_be_read_says_why(home, tmp_path):
    source = uploaded(home, "a.zip", zipped(tmp_path, {"a/1.jpg": b"no", "b/2.jpg": made.jpg(1)}))
    broken, fine = preview(home, ImportRequest(source, "x")).samples
    assert broken.image is None
    assert "a/1.jpg is no readable image" in broken.problem
    assert np.asarray(fine.image).shape == (24, 24, 3)


def test_channels_to_choose_from_and_their_choice(home, tmp_path):
    import tifffile

    bands = np.zeros((5, 8, 8), dtype=np.uint8)
    bands[4] = 255
    stream = io.BytesIO()
    tifffile.imwrite(stream, bands.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig")
    source = uploaded(home, "b.zip", zipped(tmp_path, {f"{c}/1.tif": stream.getvalue() for c in "ab"}))
    seen = preview(home, ImportRequest(source, "x")).samples[0]
    assert seen.channels == 5
    assert "5 channels: 1, 2, 3 as red, green, blue" in seen.steps
    chosen = preview(home, ImportRequest(source, "x", reading=Reading(channels=(5, 1, 2)))).samples[0]
    assert np.asarray(chosen.image)[0, 0].tolist() == [255, 0, 0]


def test_a_table_and_an_archive_that_were_dropped_together(home, tmp_path, decoders):
    rows = [["file", "kind"], *([f"{i}.jpg", "ab"[i % 2]] for i in range(6))]
    table = uploaded(home, "my list.csv", made.table(rows).encode())
    archive = uploaded(home, "pics.zip", zipped(tmp_path, {f"{i}.jpg": made.jpg(i) for i in range(6)}))
    wanted = ImportRequest(table, "Both", images=archive)
    seen = preview(home, wanted)
    assert seen.layout_title == "a table (my list.csv) and images"
    assert seen.columns == Columns("file", "kind", "", "")
    assert seen.all_columns == ("file", "kind")
    task = import_images(home, wanted, decoders=decoders)
    assert len(task.images) == 6
    assert task.record.source == "my list.csv, uploaded"
    assert not list((home.uploads).iterdir())


def test_an_upload_is_called_what_the_user_calls_it(home):
    source = uploaded(home, "..\\..\\Ünï <b>.zip", b"")
    assert upload_title(source) == "Ünï <b>.zip"
    identifier = source.split(":")[1].split(" ")[0]
    assert in_the_users_words(source, f"{identifier} is a damaged archive") == "Ünï <b>.zip is a damaged archive"
    with pytest.raises(InvalidInputError, match=r"Ünï <b>\.zip is called an archive, but what is in it is none"):
        preview(home, ImportRequest(source, "x"))


def test_the_folder_that_was_dropped_is_no_class(home):
    flat = [(f"scans/{i}.jpg", io.BytesIO(made.jpg(i))) for i in range(3)]
    seen = preview(home, ImportRequest(keep_upload(home, flat), "x"))
    assert (dict(seen.classes), seen.unlabeled) == ({}, 3)
    nested = [(f"pets/{name}", io.BytesIO(content)) for name, content in made.classes_of(2).items()]
    source = keep_upload(home, nested)
    assert upload_title(source) == "pets"
    assert dict(preview(home, ImportRequest(source, "x")).classes) == {"cat": 2, "dog": 2}


def test_one_folder_alone_is_no_class(home, tmp_path):
    files = {f"batch 7/{i}.jpg": made.jpg(i) for i in range(4)}
    seen = preview(home, ImportRequest(uploaded(home, "a.zip", zipped(tmp_path, files)), "x"))
    assert (dict(seen.classes), seen.unlabeled) == ({}, 4)
    assert any("'batch 7'" in note for note in seen.notes)


def test_small_copies_are_kept_for_choosing_what_to_label(home, tmp_path, decoders):
    made.put(tmp_path / "pets", made.classes_of(3))
    task = import_images(home, ImportRequest(str(tmp_path / "pets"), "Pets"), decoders=decoders)
    small = read_small(task.folder)
    assert small.shape == (6, 8 * 8 * 3)
    mean = task.images.pixels([2], 8, "squash").mean()
    assert abs(small[2].mean() - mean) < 3  # box against bicubic
