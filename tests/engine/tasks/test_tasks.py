import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError, WorkbenchError
from engine.images import converting
from engine.images.converting import decode
from engine.images.views import WHOLE, boxes, render, square
from engine.review import open_task
from engine.tasks import Draw, bundled_names, task_names
from engine.tasks import catalogue as task_catalogue
from engine.tasks.catalogue import add_task_file
from engine.tasks.task import write_revision, write_task


@pytest.mark.parametrize("name", bundled_names())
def test_every_bundled_task_opens_and_has_a_train_and_a_test_split(name, shared_home):
    task = open_task(shared_home, name)
    assert len(task.images) == len(task.train_rows) + len(task.test_rows)
    assert not set(task.train_rows) & set(task.test_rows)
    assert set(task.labels) == set(range(len(task.classes)))
    assert task.available_labels().min() >= 20


def test_label_budgets_are_nested_balanced_and_never_touch_the_test_split(emoji):
    previous = set()
    for budget in (1, 2, 5, 10, 20):
        rows = emoji.labeled_rows(Draw(budget, 3))
        assert np.bincount(emoji.labels[rows]).tolist() == [budget] * len(emoji.classes)
        assert previous <= set(rows) <= set(emoji.train_rows)
        previous = set(rows)


def test_each_seed_draws_its_own_labels_and_the_same_ones_again(emoji):
    assert set(emoji.labeled_rows(Draw(5, 0))) != set(emoji.labeled_rows(Draw(5, 1)))
    assert emoji.labeled_rows(Draw(5, 1)).tolist() == emoji.labeled_rows(Draw(5, 1)).tolist()


def test_a_budget_beyond_a_class_takes_all_it_has(emoji):
    assert len(emoji.labeled_rows(Draw(10_000, 0))) == len(emoji.train_rows)


def test_a_budget_of_nothing_is_refused(emoji):
    with pytest.raises(InvalidInputError, match="ask for 1 or more"):
        emoji.labeled_rows(Draw(0, 0))


def test_an_unknown_task_names_the_known_ones(home):
    with pytest.raises(UnknownNameError, match="did you mean quickdraw"):
        open_task(home, "quickdrw")


@pytest.mark.parametrize("name", ["../../etc", "/etc", "emoji-fluent/../x", ""])
def test_a_name_is_never_a_path(name, home):
    with pytest.raises(UnknownNameError):
        open_task(home, name)


def test_new_labels_are_a_new_revision_and_change_the_task(home):
    task = open_task(home, "emoji-fluent")
    labels = task.labels.copy()
    labels[0] = -1
    revision = write_revision(task.folder / "labels", "label", task.images.image_ids, pa.array(labels, pa.int32()))
    write_task(task.folder, replace(task.record, labels=revision))
    changed = open_task(home, "emoji-fluent")
    assert changed.revision != task.revision
    assert changed.labels[0] == -1
    assert (task.folder / "labels" / f"{task.record.labels}.parquet").exists()


def test_images_that_came_after_a_revision_are_unlabeled_and_trained_on(home):
    task = open_task(home, "emoji-fluent")
    ids, labels = task.images.image_ids[:-1], task.labels[:-1]
    revision = write_revision(task.folder / "labels", "label", ids, pa.array(labels, pa.int32()))
    write_task(task.folder, replace(task.record, labels=revision))
    assert open_task(home, "emoji-fluent").labels[-1] == -1


@pytest.mark.parametrize(
    ("field", "value"),
    [("resize", "crop"), ("flip", True), ("classes", ["x"]), ("student_size", 512), ("split", "784431e99ce7")],
)
def test_a_value_that_was_changed_by_hand_is_no_other_task_without_a_word(home, field, value):
    path = open_task(home, "emoji-fluent").folder / "task.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(DamagedFileError, match=r"emoji-fluent.*no longer what was written.*line .seal."):
        open_task(home, "emoji-fluent")


def test_a_record_of_an_old_version_has_no_seal_and_one_may_be_taken_away(home):
    task = open_task(home, "emoji-fluent")
    value = json.loads((task.folder / "task.json").read_text())
    assert value.pop("seal")
    (task.folder / "task.json").write_text(json.dumps(value | {"title": "Renamed"}))
    assert open_task(home, "emoji-fluent").record == replace(task.record, title="Renamed")


@pytest.mark.parametrize("change", ["other labels", "other ids", "other column", "gone", "cut", "a folder"])
def test_labels_are_what_their_revision_says(home, change):
    task = open_task(home, "emoji-fluent")
    path = task.folder / "labels" / f"{task.record.labels}.parquet"
    ids, labels = task.images.image_ids, task.labels.copy()
    path.unlink()
    if change == "a folder":
        path.mkdir()
    elif change != "gone":
        labels[0] += change == "other labels"
        ids = ids[1:] + ids[:1] if change == "other ids" else ids
        name = "class" if change == "other column" else "label"
        pq.write_table(pa.table({"image_id": ids, name: pa.array(labels, pa.int32())}), path)
        if change == "cut":
            path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WorkbenchError, match=path.name):
        _ = open_task(home, "emoji-fluent").labels


def test_labels_of_other_images_than_the_table_holds_are_named(home):
    task = open_task(home, "emoji-fluent")
    ids = list(reversed(task.images.image_ids))
    revision = write_revision(task.folder / "labels", "label", ids, pa.array(task.labels, pa.int32()))
    write_task(task.folder, replace(task.record, labels=revision))
    with pytest.raises(DamagedFileError, match=r"about other images than .*images\.parquet holds"):
        _ = open_task(home, "emoji-fluent").labels


def test_a_byte_of_an_image_that_was_flipped_is_named_with_the_image(home):
    task = open_task(home, "emoji-fluent")
    content = next(task.images.contents(np.array([7])))[0]
    path = task.folder / "images.parquet"
    whole = bytearray(path.read_bytes())
    at = whole.find(content[20:60])
    assert at > 0, "the image lies there as it is"
    whole[at + 10] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DamagedFileError, match=r"images\.parquet is damaged"):
        next(open_task(home, "emoji-fluent").images.contents(np.array([7])))[0]


@pytest.fixture
def assets(tmp_path, monkeypatch):
    folder = tmp_path / "assets"
    folder.mkdir()
    for suffix in ("parquet", "json"):
        shutil.copy(task_catalogue.ASSETS / f"emoji-fluent.{suffix}", folder)
    monkeypatch.setattr(task_catalogue, "ASSETS", folder)
    return folder


def test_a_damaged_task_file_is_refused_and_leaves_nothing(assets, home):
    path = assets / "emoji-fluent.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="does not match its checksum"):
        open_task(home, "emoji-fluent")
    assert not list((home.tasks).glob("*")) if (home.tasks).exists() else True


def test_a_file_that_is_no_parquet_but_has_its_checksum_is_refused(assets, home):
    path = assets / "emoji-fluent.parquet"
    path.write_bytes(b"not a table")
    record = json.loads((assets / "emoji-fluent.json").read_text())
    record["sha256"] = task_catalogue.sha256(path)
    (assets / "emoji-fluent.json").write_text(json.dumps(record))
    with pytest.raises(DamagedFileError, match="is not a task file"):
        add_task_file(home, path)


def test_a_corrupt_image_table_in_the_workspace_is_a_sentence(home):
    task = open_task(home, "emoji-fluent")
    (task.folder / "images.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DamagedFileError, match="is damaged"):
        len(open_task(home, "emoji-fluent").images)


def test_a_damaged_task_record_is_a_sentence(home):
    task = open_task(home, "emoji-fluent")
    (task.folder / "task.json").write_text('{"name": "emoji-fluent"}')
    with pytest.raises(DamagedFileError, match=r"task\.json is damaged, and with it task 'emoji-fluent'"):
        open_task(home, "emoji-fluent")
    assert "emoji-fluent" in task_names(home)


def encoded(image, **options):
    stream = io.BytesIO()
    image.save(stream, options.pop("format", "PNG"), **options)
    return stream.getvalue()


def test_transparency_becomes_white():
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    assert decode(encoded(image), "x.png").getpixel((0, 0)) == (255, 255, 255)


def test_exif_rotation_is_applied():
    image = Image.new("RGB", (4, 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(image, format="JPEG", exif=exif), "x.jpg").size == (2, 4)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(mode):
    image = Image.new(mode, (3, 3))
    form = "TIFF" if mode == "CMYK" else "PNG"
    assert decode(encoded(image, format=form), "x").mode == "RGB"


def test_what_is_no_image_is_named():
    with pytest.raises(DamagedFileError, match=r"cat\.png is no readable image"):
        decode(b"hello", "cat.png")


def test_a_truncated_image_is_named():
    with pytest.raises(DamagedFileError, match=r"cat\.png"):
        decode(encoded(Image.effect_noise((64, 64), 50))[:200], "cat.png")


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(converting, "LARGEST_PIXELS", 99)
    with pytest.raises(InvalidInputError, match="10 × 10 pixels"):
        decode(encoded(Image.new("RGB", (10, 10))), "big.png")


def test_view_0_is_the_whole_image_and_others_are_seeded_by_image():
    assert boxes(["a", "b"], 0, flip=True).tolist() == [list(WHOLE)] * 2
    one, again = boxes(["a", "b"], 1, flip=True), boxes(["b", "a"], 1, flip=True)
    assert one.tolist() == again[::-1].tolist()
    assert one[0].tolist() != one[1].tolist()


def test_views_stay_inside_the_image_and_keep_half_of_it():
    found = boxes([str(i) for i in range(500)], 3, flip=True)
    left, top, width, height, flip = found.T
    assert left.min() >= 0
    assert top.min() >= 0
    assert (left + width).max() <= 1 + 1e-6
    assert (top + height).max() <= 1 + 1e-6
    assert (width * height).min() >= 0.45  # .5, or a little less where the aspect is cut at the border
    assert 0.4 < flip.mean() < 0.6
    assert boxes(["a"], 3, flip=False)[0, 4] == 0


def test_render_mirrors_and_crops():
    image = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4).repeat(3).reshape(4, 4, 3))
    whole = render(image, np.array(WHOLE, dtype=np.float32), 4)
    mirrored = render(image, np.array([0, 0, 1, 1, 1], dtype=np.float32), 4)
    assert mirrored[:, ::-1].tolist() == whole.tolist()
    right = render(image, np.array([0.5, 0, 0.5, 1, 0], dtype=np.float32), 4)
    assert right.mean() > whole.mean()


@pytest.mark.parametrize(("resize", "size"), [("squash", (4, 2)), ("pad", (4, 4)), ("crop", (2, 2))])
def test_square(resize, size):
    assert square(Image.new("RGB", (4, 2)), resize).size == size


def test_threads_may_read_one_table_at_once(emoji):
    rows = list(range(0, len(emoji.images), 7))
    expected = [next(emoji.images.contents(np.array([row])))[0] for row in rows]
    shuffled = np.random.default_rng(0).permutation(len(rows))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: next(emoji.images.contents(np.array([rows[i]])))[0] == expected[i], shuffled))
    assert all(found)
