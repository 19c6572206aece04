import io
import json
import zipfile
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DamagedFileError, InvalidInputError, UnavailableError, UnknownNameError
from engine.intake import Columns, ImportRequest, import_images, keep_upload, request_import
from engine.intake.uploads import upload_path
from engine.review import checked
from tests.engine.intake import made_sources as made


def labels(task):
    return Counter(task.classes[label] if label >= 0 else None for label in task.labels)


def held_out(task):
    return Counter(task.classes[task.labels[row]] for row in task.test_rows)


def test_folders_by_class(bring, tmp_path):
    task = bring(made.put(tmp_path / "pets", made.classes_of(10)))
    assert labels(task) == {"cat": 10, "dog": 10}
    assert held_out(task) == {"cat": 2, "dog": 2}  # a fifth of each
    assert task.record.title == "mine"
    assert next(task.images.decoded([0])).size == (24, 24)


@pytest.mark.parametrize("prefix", ["", "data/", "a/b/"])
def test_a_zip_of_folders_by_class_in_any_depth(bring, tmp_path, prefix):
    task = bring(made.zipped(tmp_path / "pets.zip", {**made.classes_of(5, prefix=prefix), prefix + "notes.txt": "x"}))
    assert labels(task) == {"cat": 5, "dog": 5}


@pytest.mark.parametrize("word", ["val", "valid", "Validation"])
def test_folders_by_split_keep_the_split(bring, tmp_path, word):
    files = {
        **made.classes_of(4, prefix="train/"),
        **made.classes_of(2, prefix=f"{word}/", first=50),
        **made.classes_of(3, prefix="test/", first=100),
    }
    task = bring(made.put(tmp_path / "split", files))
    assert labels(task) == {"cat": 9, "dog": 9}
    assert held_out(task) == {"cat": 3, "dog": 3}
    assert checked(task).review.split_method == "given"
    assert any("4 validation images belong to the training" in note for note in checked(task).about.notes)


def test_without_test_folders_the_validation_images_test(bring, tmp_path):
    files = {**made.classes_of(4, prefix="train/"), **made.classes_of(2, prefix="val/", first=50)}
    assert held_out(bring(made.put(tmp_path / "split", files))) == {"cat": 2, "dog": 2}


def test_labeled_and_unlabeled_folders(bring, tmp_path):
    unlabeled = {f"unlabeled/{i}.jpg": made.jpg(500 + i) for i in range(7)}
    task = bring(made.put(tmp_path / "few", {**made.classes_of(6, prefix="labeled/"), **unlabeled}))
    assert labels(task) == {"cat": 6, "dog": 6, None: 7}
    assert len(task.train_rows) == 17
    assert checked(task).about.layout == "labeled-unlabeled"


def test_loose_images_beside_class_folders_are_unlabeled(bring, tmp_path):
    task = bring(made.put(tmp_path / "loose", {**made.classes_of(5), "x.jpg": made.jpg(9000), "y.jpg": made.jpg(9001)}))
    assert labels(task) == {"cat": 5, "dog": 5, None: 2}


def test_unsorted_images_need_classes_and_then_wait_for_labels(bring, tmp_path):
    folder = made.put(tmp_path / "flat", {f"{i}.jpg": made.jpg(i) for i in range(6)})
    with pytest.raises(InvalidInputError, match="no classes: sort them"):
        bring(folder)
    task = bring(folder, classes=("cat", "dog"))
    assert labels(task) == {None: 6}
    assert task.classes == ("cat", "dog")


def flat_with_table(suffix=".csv"):
    rows = [["file", "species", "patient"]]
    rows += [[f"images/{i}.jpg", ("cat", "dog", "")[i % 3], f"p{i // 3}"] for i in range(18)]
    files = {f"images/{i}.jpg": made.jpg(i) for i in range(18)}
    text = made.table(rows)
    return {**files, "labels" + suffix: text.replace(",", "\t") if suffix == ".tsv" else text}


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_table_beside_flat_images(bring, tmp_path, suffix):
    folder = made.put(tmp_path / "flat", flat_with_table(suffix))
    for number, source in enumerate((folder, folder / ("labels" + suffix))):
        task = bring(source, title=f"mine {number}")
        now = checked(task)
        assert labels(task) == {"cat": 6, "dog": 6, None: 6}
        assert dict(now.about.columns) == {"images": "file", "labels": "species", "groups": "patient"}
        assert now.review.split_method == "by-group"
        sides = {}
        for row, group in enumerate(now.facts.groups):
            sides.setdefault(group, set()).add(task.splits[row])
        assert all(side in ({"train"}, {"test"}, {"test", "out"}) for side in sides.values())


def test_a_table_as_parquet_and_columns_by_choice(bring, tmp_path):
    folder = made.put(tmp_path / "flat", {f"{i}.jpg": made.jpg(i) for i in range(8)})
    columns = {"where": [f"{i}.jpg" for i in range(8)], "a": ["x", "y"] * 4, "b": ["u", "u", "v", "v"] * 2}
    pq.write_table(pa.table(columns), folder / "list.parquet")
    task = bring(folder / "list.parquet", columns=Columns(label="b"))
    assert labels(task) == {"u": 4, "v": 4}
    with pytest.raises(UnknownNameError, match=r"no column in list.parquet named 'c'"):
        bring(folder / "list.parquet", title="other", columns=Columns(label="c"))


def test_a_table_whose_images_lie_elsewhere(bring, tmp_path):
    images = made.put(tmp_path / "images", {f"{i}.jpg": made.jpg(i) for i in range(8)})
    made.put(tmp_path / "lists", {"l.csv": made.table([["id", "label"], *([str(i), "ab"[i % 2]] for i in range(9))])})
    task = bring(tmp_path / "lists" / "l.csv", images=str(images))
    assert labels(task) == {"a": 4, "b": 4}
    assert checked(task).about.skipped == (("8", "is named in the table, but is not there"),)


def test_the_table_decides_over_kaggle_like_folders(bring, tmp_path):
    files = {f"train/{i}.jpg": made.jpg(i) for i in range(8)} | {f"test/{i}.jpg": made.jpg(50 + i) for i in range(4)}
    rows = [["id", "label"], *([f"train/{i}.jpg", "ab"[i % 2]] for i in range(8))]
    task = bring(made.put(tmp_path / "kaggle", {**files, "train.csv": made.table(rows)}))
    assert labels(task) == {"a": 4, "b": 4}


def hugging_face(path, numbers, label=lambda n: n % 2, names=("cat", "dog")):
    images = [{"bytes": made.jpg(n), "path": f"{n}.jpg"} for n in numbers]
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    table = pa.table({"image": images, "label": [label(n) for n in numbers]})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def test_a_hugging_face_parquet(bring, tmp_path):
    task = bring(hugging_face(tmp_path / "x.parquet", range(12), label=lambda n: -1 if n > 9 else n % 2))
    assert labels(task) == {"cat": 5, "dog": 5, None: 2}
    assert checked(task).about.layout == "parquet-images"


def test_hugging_face_shards_by_split(bring, tmp_path):
    hugging_face(tmp_path / "hf/data/train-00000-of-00002.parquet", range(6))
    hugging_face(tmp_path / "hf/data/train-00001-of-00002.parquet", range(6, 12))
    hugging_face(tmp_path / "hf/data/test-00000-of-00001.parquet", range(20, 24))
    task = bring(tmp_path / "hf")
    assert (len(task.train_rows), len(task.test_rows)) == (12, 4)


def dicom_series(left_out=0):
    return {
        f"{kind}/IM{i:06d}": made.dicom(10 * k + i, patient=f"P{i // 2}")[left_out:]
        for k, kind in enumerate(("cyst", "nodule"))
        for i in range(6)
    }


@pytest.mark.parametrize("left_out", [0, 132], ids=["whole", "without preamble"])
def test_a_dicom_series_without_suffixes_is_grouped_by_patient_and_not_mirrored(bring, tmp_path, left_out):
    task = bring(made.put(tmp_path / "study", dicom_series(left_out)))
    now = checked(task)
    assert labels(task) == {"cyst": 6, "nodule": 6}
    assert now.review.split_method == "by-group"
    assert len(set(now.facts.groups)) == 3
    assert not any("P0" in group for group in now.facts.groups)  # a patient's number is not stored
    assert not task.record.flip  # because of what the files are: the classes name neither sides nor signs
    assert now.about.steps["DICOM"] == 12


# The official downloads: (tree, layout, images, test images, classes)
OFFICIAL = {
    "cifar-10 python": (made.cifar_10(), "cifar-10", 36, 6, ("airplane", "automobile", "bird")),
    "cifar-10 binary": (made.cifar_10(python=False), "cifar-10", 36, 6, ("airplane", "automobile", "bird")),
    "cub": (made.cub(), "cub-200-2011", 8, 2, ("Black footed Albatross", "Laysan Albatross")),
    "nabirds": (
        made.nabirds(), "nabirds", 9, 3, ("Common Loon (Breeding)", "House Sparrow [296]", "House Sparrow [297]"),
    ),
    "pets": (made.pets(), "oxford-iiit-pet", 12, 4, ("Abyssinian", "american bulldog")),
    "dogs": (made.dogs(), "stanford-dogs", 10, 4, ("Chihuahua", "Japanese spaniel")),
    "eurosat": (made.eurosat(), "eurosat", 20, 10, made.EUROSAT),
    "isic": (made.isic(), "isic-2018-task-3", 42, 7, tuple(made.ISIC_CLASSES.values())),
    "chest": (made.chest(), "chestx-ray14", 20, 6, ("Atelectasis", "Cardiomegaly", "Consolidation")),
}  # fmt: skip


@pytest.mark.parametrize("name", OFFICIAL)
def test_an_official_download_with_its_split(bring, tmp_path, name):
    files, layout, images, held_out, classes = OFFICIAL[name]
    task = bring(made.put(tmp_path / "download", files))
    now = checked(task)
    assert now.about.layout == layout
    assert (len(task.images), len(task.test_rows)) == (images, held_out)
    assert task.classes == tuple(classes)
    assert now.review.split_method == ("stratified" if layout == "eurosat" else "given")
    assert now.about.unreadable_count == 0


@pytest.mark.parametrize("name", ["cub", "chest"])
def test_an_official_download_still_packed(bring, tmp_path, name):
    files, layout, images, *_ = OFFICIAL[name]
    task = bring(made.zipped(tmp_path / "download.zip", files))
    assert (checked(task).about.layout, len(task.images)) == (layout, images)


def test_cub_splits_and_labels_are_those_of_its_lists(bring, tmp_path):
    task = bring(made.put(tmp_path / "d", made.cub()))
    names = sorted(task.images.image_ids[row].rsplit("_", 2)[1] for row in task.test_rows)
    assert names == ["0003", "0007"]  # images 4 and 8, whose line ends in 0


def test_chestx_ray14_says_what_was_dropped_and_groups_by_patient(bring, tmp_path):
    now = checked(bring(made.put(tmp_path / "d", made.chest())))
    assert any("2 with several findings, 2 without a finding" in note for note in now.about.notes)
    assert len(set(now.facts.groups)) == 10


def test_isic_without_its_test_truth_splits_by_lesion(bring, tmp_path):
    now = checked(bring(made.put(tmp_path / "d", made.isic(test=False))))
    assert now.review.split_method == "by-group"
    assert len(set(now.facts.groups)) == 14


def test_eurosat_bands_become_rgb_by_bands_4_3_2(bring, tmp_path):
    import tifffile

    files = {}
    for k, name in enumerate(made.EUROSAT):
        for i in (1, 2):
            bands = np.random.default_rng(10 * k + i).integers(0, 2750, (8, 8, 13), dtype=np.uint16)
            bands[:, :, 3] = 2750  # red
            stream = io.BytesIO()
            tifffile.imwrite(stream, bands, photometric="minisblack", planarconfig="contig")
            files[f"EuroSAT_MS/{name}/{name}_{i}.tif"] = stream.getvalue()
    task = bring(made.put(tmp_path / "ms", files))
    assert np.asarray(next(task.images.decoded([0])))[:, :, 0].min() == 255
    assert "13 channels: 4, 3, 2 as red, green, blue" in checked(task).about.steps


def test_a_pickle_that_would_run_a_program_is_refused(bring, tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("this must not be seen",))

    import pickle

    files = {**made.cifar_10(), "cifar-10-batches-py/data_batch_3": pickle.dumps({b"data": Evil()}, protocol=2)}
    with pytest.raises(DamagedFileError, match=r"print, which is not allowed"):
        bring(made.put(tmp_path / "d", files))


def test_cifar_pixels_are_those_of_the_batch(bring, tmp_path):
    task = bring(made.put(tmp_path / "d", made.cifar_10()))
    row = task.images.image_ids.index("data_batch_2/1-automobile_s_000001.png")
    assert np.asarray(next(task.images.decoded([row]))).tolist() == np.asarray(made.picture(101, (32, 32))).tolist()


def test_torchvision_sets_that_are_there_need_no_internet(bring, home):
    import struct

    raw = home.path / "downloads/torchvision/MNIST/raw"
    for part, count in (("train", 40), ("t10k", 20)):
        pixels = np.stack([np.asarray(made.picture(count + i, (28, 28)).convert("L")) for i in range(count)])
        made.put(
            raw,
            {
                f"{part}-images-idx3-ubyte": struct.pack(">IIII", 2051, count, 28, 28) + pixels.tobytes(),
                f"{part}-labels-idx1-ubyte": struct.pack(">II", 2049, count) + bytes(i % 10 for i in range(count)),
            },
        )
    task = bring("torchvision:MNIST")
    assert (len(task.train_rows), len(task.test_rows), len(task.classes)) == (40, 20, 10)
    assert task.record.collection == "mnist"  # so that the teacher that saw it is refused


def test_a_torchvision_set_without_internet_is_a_sentence(bring, monkeypatch):
    from torchvision import datasets

    def offline(root, download, **_):
        raise RuntimeError("Error downloading")

    monkeypatch.setattr(datasets, "SVHN", type("SVHN", (), {"__new__": lambda cls, *a, **k: offline(*a, **k)}))
    with pytest.raises(UnavailableError, match="SVHN could not be downloaded"):
        bring("torchvision:SVHN")
    with pytest.raises(UnknownNameError, match="did you mean CIFAR10"):
        bring("torchvision:CIFR10")


def test_an_upload_of_a_folder_and_of_a_zip(home, decoders, tmp_path):
    dropped = [(f"pets/{name}", io.BytesIO(content)) for name, content in made.classes_of(5).items()]
    source = keep_upload(home, dropped)
    task = import_images(home, ImportRequest(source=source, title="dropped"), decoders=decoders)
    assert labels(task) == {"cat": 5, "dog": 5}
    assert not list((home.uploads).iterdir())  # it is in the task now
    path = made.zipped(tmp_path / "x.zip", made.classes_of(5))
    with path.open("rb") as file:
        source = keep_upload(home, [("x.zip", file)])
    assert request_import(home, ImportRequest(source=source, title="dropped too")).spec["name"] == "dropped-too"


def test_dropped_files_of_one_name_stay_apart_in_their_folder(home):
    names = ["cat/1.jpg", "cat/1.jpg", "cat/1 (2).jpg", "cat/1.jpg"]
    source = keep_upload(home, [(name, io.BytesIO(name.encode())) for name in names])
    with zipfile.ZipFile(upload_path(home, source)) as archive:
        kept = [name.removeprefix("cat/") for name in archive.namelist()]
    assert kept == ["1.jpg", "1 (2).jpg", "1 (2) (2).jpg", "1 (3).jpg"]


def test_without_classes_the_import_says_what_it_left_out_and_reads_nothing(bring, tmp_path, monkeypatch):
    files = {f"JPEGImages/{i}.jpg": made.jpg(i) for i in range(4)}
    files |= {f"SegmentationClass/{i}.png": made.encoded(made.picture(50 + i)) for i in range(4)}
    folder = made.put(tmp_path / "voc", files)
    monkeypatch.setattr("engine.images.decoder.Decoders.look_at", None)
    with pytest.raises(InvalidInputError, match=r"4 images in 'SegmentationClass' .* or --answer masks=use"):
        bring(folder)
    monkeypatch.undo()
    task = bring(folder, classes=("cat", "dog"))
    assert (len(task.images), checked(task).about.questions[0].chosen) == (4, "leave-out")
