"""What tables of images say: which column is what, which file a cell means, groups and split."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DamagedFileError, UnknownNameError
from engine.images.reading import Reading
from engine.intake.discovery import inventory_of
from engine.intake.inventory import Columns
from engine.intake.layouts.table_cells import split_words
from engine.intake.layouts.table_columns import guess_columns
from engine.intake.layouts.table_lookup import Lookup, Named
from engine.intake.previews import _preview
from engine.settings import ImportSettings
from engine.tasks.questions import undecided
from tests.engine.intake.tables_seen import PICTURE, asked, labels, pictures, splits

# Which column is the label


def guessed(header, *rows, folders=None):
    """Columns as they are guessed from a few rows, which are repeated; the first column names the images."""
    many = [rows[i % len(rows)] for i in range(4 * len(rows))]
    sample = [dict(zip(header, (f"{i}.jpg", *row), strict=True)) for i, row in enumerate(many)]
    said = [folders[i % len(folders)] if folders else "" for i in range(len(sample))]
    return guess_columns(header, sample, frozenset(), Columns(), said)


@pytest.mark.parametrize(
    ("header", "rows", "label"),
    [
        (["file", "animal"], [["cat"], ["dog"]], "animal"),
        (["file", "Width", "Height", "Roi.X1", "ClassId"], [["30", "31", "5", "0"], ["31", "33", "6", "1"]], "ClassId"),
        (["file", "smoke", "age", "patient_id", "diagnostic"], [["True", "55", "p1", "M"], ["False", "8", "p2", "N"]],
         "diagnostic"),
        (["id", "breed"], [["pug"], ["boxer"]], "breed"),
        (["id", "camera", "species"], [["c1", "fox"], ["c2", "hare"]], "species"),
        (["file", "emotion", "pixels"], [["0", "12"], ["3", "40"]], "emotion"),
        (["file", "class_id", "class_name"], [["0", "cat"], ["1", "dog"]], "class_name"),
        (["file", "dx_type", "dx", "localization"], [["histo", "mel", "back"], ["histo", "nv", "face"]], "dx"),
        (["file", "confidence", "label"], [["0.9", "cat"], ["0.7", "dog"]], "label"),
        (["file", "category_id", "datetime"], [["1", "2020"], ["7", "2021"]], "category_id"),
        (["file", "patient"], [["p1"], ["p2"]], ""),
        (["file", "Width"], [["30"], ["31"]], ""),
        (["file", "MEL", "NV", "BCC"], [["1.0", "0.0", "0.0"], ["0.0", "1.0", "0.0"], ["0", "0", "1"]], "MEL,NV,BCC"),
        (["file", "cat", "dog"], [["1", "0"], ["0", "1"]], "cat,dog"),
        (["file", "male", "glasses"], [["1", "1"], ["0", "1"], ["1", "0"]], "glasses"),
        (["file", "target", "sex", "site"], [["1", "0", "a"], ["0", "1", "b"]], "target"),
    ],
)  # fmt: skip
def test_the_likeliest_column_of_labels(header, rows, label):
    assert guessed(header, *rows).labels[0].column == label


def test_a_column_that_follows_the_folders_or_the_folders_alone():
    rows = [["a", "30", "u"], ["a", "31", "v"], ["b", "30", "v"], ["b", "31", "u"]]
    found = guessed(["file", "kind", "Width", "tone"], *rows, folders=["A", "A", "B", "B"])
    assert found.labels[0].column == "kind"
    assert "folders/" not in [c.column for c in found.labels]  # they say the same
    assert guessed(["file", "Width"], ["30"], ["31"], ["30"], ["31"], folders=["A", "A", "B", "B"]).labels[
        0
    ].column == ("folders/")


def test_a_sorted_table_is_looked_at_all_over(seen):
    rows = [["file", "kind"], *([f"{i:03d}.jpg", f"k{i // 300}"] for i in range(900))]
    assert labels(seen({**pictures(900), "list.csv": rows})) == {"k0": 300, "k1": 300, "k2": 300}


def test_groups_are_guessed_and_mentioned(seen):
    rows = [[f"{i:03d}.jpg", f"t{i // 3}", f"s{i // 6}", "ab"[i % 2]] for i in range(12)]
    found = seen({**pictures(12), "list.csv": [["file", "tile", "site", "species"], *rows]})
    assert (found.columns.label, found.columns.group) == ("species", "tile")
    assert "The column 'tile' names 4 groups: one is never both trained on and tested on." in found.notes
    assert "Groups may also be in: 'site'." in found.notes
    assert {item.group for item in found.items} == {"t0", "t1", "t2", "t3"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_patient_that_is_not_known_is_no_group(seen, tmp_path, kind):
    patients = ["NA" if i < 7 else "None" if i == 7 else f"p{i // 2}" for i in range(14)]
    if kind == "csv":
        rows = [[f"{i:03d}.jpg", "ab"[i % 2], patient] for i, patient in enumerate(patients)]
        found = seen({**pictures(14), "l.csv": [["image", "label", "patient"], *rows]})
    else:
        images = [{"bytes": PICTURE, "path": f"{i}.jpg"} for i in range(14)]
        cells = {"image": images, "label": ["a", "b"] * 7, "patient": patients}
        pq.write_table(pa.table(cells), tmp_path / "x.parquet")
        found = inventory_of(tmp_path / "x.parquet", None, True, Columns(), ImportSettings(), {})
    assert Counter(item.group for item in found.items) == {None: 8, "p4": 2, "p5": 2, "p6": 2}
    note = "Of the groups in 'patient', 8 images say 'NA', 'None', as programs write for an empty cell: there is none."
    assert note in found.notes


def test_a_group_that_is_the_label_in_other_words_is_none():
    rows = [["cat", "plate 1"], ["dog", "plate 2"]]
    assert guessed(["file", "label", "plate"], *rows).group == ""


def test_what_is_not_certain_is_asked_with_the_images_that_each_would_label(seen):
    names = [f"{folder}/{i}.jpg" for folder in "AB" for i in range(4)]
    rows = [[name, "xy"[i // 2 % 2] if i else "", str(30 + i % 3)] for i, name in enumerate(names)]
    files = {**dict.fromkeys(names), "list.csv": [["file", "tone", "Width"], *rows]}
    assert labels(seen(files)) == {"A": 4, "B": 4}
    assert seen(files).columns.label == ""
    chosen = seen(files, columns=Columns(label="tone"))
    assert labels(chosen) == {"x": 3, "y": 4, None: 1}
    assert not undecided(chosen.questions)
    grades = [[f"{i:03d}.jpg", str(i % 3)] for i in range(9)]
    (question,) = seen({**pictures(9), "x.csv": [["file", "spots"], *grades]}, "x.csv").questions
    assert [(one.key, one.labeled_images) for one in question.interpretations] == [("spots", 9), ("(none)", 0)]


def test_one_hot_rows_with_several_ones_or_none_have_no_label(seen):
    rows = [["image", "MEL", "NV", "BCC"]]
    rows += [[f"{i:03d}", *("1.0" if i % 3 == k else "0.0" for k in range(3))] for i in range(20)]
    rows += [["020", "1.0", "1.0", "0.0"], ["021", "0.0", "0.0", "0.0"]]
    found = seen({**pictures(22), "truth.csv": rows})
    assert labels(found) == {"MEL": 7, "NV": 7, "BCC": 6, None: 2}
    assert "Images without a 1, and so without a label: 1." in " ".join(found.notes)
    assert "so that they have no label: 1." in " ".join(found.notes)
    single = seen({**pictures(22), "truth.csv": rows}, columns=Columns(label="MEL,NV"))
    assert labels(single) == {"MEL": 7, "NV": 7, None: 8}
    with pytest.raises(UnknownNameError):
        seen({**pictures(22), "truth.csv": rows}, columns=Columns(label="MEL,XX"))


def test_findings_of_which_an_image_has_several_are_asked_about(seen):
    rows = [["path", "Edema", "Mass", "Nodule"]]
    rows += [
        [f"{i:03d}.jpg", str(float(i % 2)), "-1.0" if i % 5 == 0 else "", str(float(i % 3 == 0))] for i in range(20)
    ]
    found = seen({**pictures(20), "list.csv": rows})
    assert found.columns.label == "Edema,Mass,Nodule"
    assert asked(found) == {"label-column": "Edema,Mass,Nodule"}


# Which file a cell means


def test_a_name_that_is_in_both_splits_is_that_of_the_tables_split(seen):
    train = [["id", "label"], *([f"{i:03d}", "ab"[i % 2]] for i in range(12))]
    test = [["id"], *([f"{i:03d}"] for i in range(6))]
    found = seen({**pictures(12, "train/"), **pictures(6, "test/"), "train.csv": train, "test.csv": test})
    assert {item.name for item in found.items if item.label == "a"} == {f"train/{i:03d}.jpg" for i in range(0, 12, 2)}
    assert {item.split for item in found.items if item.label} == {"train"}
    assert sum(item.split == "test" for item in found.items) == 6


def test_files_that_all_have_one_name_are_found_by_their_folders():
    """At once, though there are many: each name is looked up, and not compared with all others."""
    cells = [f"set/patient{i:05d}/view.jpg" for i in range(20_000)]
    found, _ = found_by(cells, [f"data/{cell.removeprefix('set/')}" for cell in cells])
    assert found == {cell: f"data/{cell.removeprefix('set/')}" for cell in cells}


def found_by(cells, names, base=""):
    resolved = Lookup(names).resolve([Named(base, cell) for cell in cells])
    return {cell: resolved.files.get(Named(base, cell)) for cell in cells}, resolved.notes


@pytest.mark.parametrize(
    ("cells", "names", "files"),
    [
        (["train/0.jpg", "val/0.jpg"], ["val/0.jpg"], [None, "val/0.jpg"]),  # the folder train is not there
        (["train/0.jpg"], ["val/0.jpg"], [None]),  # nor may its images be those of val
        (["a/0.jpg", "b/0.jpg"], ["b/0.jpg"], [None, "b/0.jpg"]),
        (["a/0.jpg", "b/0.jpg"], ["0.jpg"], [None, None]),  # two rows would mean one file
        (["a/0.jpg", "a/1.jpg"], ["c/0.jpg", "d/9.jpg"], [None, None]),  # one row would find nothing
        (["0.jpg"], ["a/0.jpg", "b/0.jpg"], [None]),
        (["0.jpg", "a/0.jpg"], ["0.jpg", "a/0.jpg"], ["0.jpg", "a/0.jpg"]),
        (["0.jpg", "1"], ["images/0.jpg", "images/1.png"], ["images/0.jpg", "images/1.png"]),
        (["x\\0.jpg"], ["data/x/0.jpg", "data/y/0.jpg"], ["data/x/0.jpg"]),
        (["../0.jpg"], ["0.jpg"], [None]),
        (["e\u0301.jpg"], ["\u00e9.jpg"], ["\u00e9.jpg"]),
        (["\u00e9.jpg"], ["e\u0301.jpg"], ["e\u0301.jpg"]),
    ],
)  # fmt: skip
def test_a_label_never_comes_from_another_folder(cells, names, files):
    found, notes = found_by(cells, names)
    assert list(found.values()) == files
    assert not notes


def test_longer_paths_are_shortened_where_that_is_unique_and_it_is_said():
    found, notes = found_by(["/home/me/set/a/0.jpg", "/home/me/set/b/0.jpg"], ["a/0.jpg", "b/0.jpg"])
    assert list(found.values()) == ["a/0.jpg", "b/0.jpg"]
    assert notes == (
        "2 images lie elsewhere than the table says: '/home/me/set/a/0.jpg' is not there, and is taken without its "
        "outermost folders as 'a/0.jpg'.",
    )
    found, notes = found_by(["images/0.jpg", "images/1.jpg"], ["pictures/x/0.jpg", "pictures/y/1.jpg"])
    assert list(found.values()) == ["pictures/x/0.jpg", "pictures/y/1.jpg"]
    assert "by its name alone" in notes[0]


def test_a_table_in_a_folder_of_a_split_says_nothing_of_another_split():
    assert found_by(["0.jpg"], ["val/0.jpg"], base="train/")[0] == {"0.jpg": None}
    assert found_by(["0.jpg"], ["val/0.jpg", "train/0.jpg"], base="train/")[0] == {"0.jpg": "train/0.jpg"}
    assert found_by(["0.jpg"], ["images/0.jpg"], base="lists/")[0] == {"0.jpg": "images/0.jpg"}


# Splits


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("is_valid", ["True", "False"], {"True": "val", "False": "train"}),
        ("is_test", ["1", "0"], {"1": "test", "0": "train"}),
        ("isTraining", ["yes", "no"], {"yes": "train", "no": "test"}),
        ("test", ["0", "1"], {"0": "train", "1": "test"}),
        ("data set", ["train", "valid", "test"], {"train": "train", "valid": "val", "test": "test"}),
        ("Usage", ["Training", "PublicTest", "PrivateTest"],
         {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}),
        ("split", ["0", "1", "2"], {"0": "train", "1": "val", "2": "test"}),
        ("partition", ["0", "1"], {"0": "train", "1": "test"}),
        ("split", ["train", "test", "extra"], {"train": "train", "test": "test"}),
        ("where", ["train", "test"], {"train": "train", "test": "test"}),  # by its values alone
        ("fold", ["0", "1", "2"], {}),
        ("level", ["0", "1", "2"], {}),
        ("label", ["train", "bus"], {}),
        ("is_tumor", ["0", "1"], {}),
    ],
)  # fmt: skip
def test_what_a_column_says_of_the_split(column, values, said):
    assert split_words(column, values) == said


def test_numbers_that_may_be_a_split_are_asked_about(seen):
    rows = [["f", "label", "split"], *([f"{i:03d}.jpg", "ab"[i % 2], str(i // 4)] for i in range(12))]
    found = seen({**pictures(12), "l.csv": rows})
    assert splits(found)["test"] == [f"{i:03d}.jpg" for i in range(8, 12)]
    assert asked(found) == {"split-column": "split"}
    assert splits(seen({**pictures(12), "l.csv": rows}, columns=Columns(split="")))["test"] == []


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("column", ["valid", "test"])
def test_yes_and_no_that_may_be_a_split_are_asked_about(seen, tmp_path, kind, column):
    def found_with(held_out, **fields):
        said = ["yes" if i in held_out else "no" for i in range(12)]
        if kind == "csv":
            rows = [["f", "label", column], *([f"{i:03d}.jpg", "ab"[i % 2], said[i]] for i in range(12))]
            return seen({**pictures(12), "l.csv": rows}, **fields)
        images = [{"bytes": PICTURE, "path": f"{i:03d}.jpg"} for i in range(12)]
        pq.write_table(pa.table({"image": images, "label": ["a", "b"] * 6, column: said}), tmp_path / "x.parquet")
        return inventory_of(
            tmp_path / "x.parquet", None, True, fields.get("columns") or Columns(), ImportSettings(), {}
        )

    few = found_with((2, 5, 9))
    assert splits(few)["test"] == ["002.jpg", "005.jpg", "009.jpg"]
    assert asked(few) == {"split-column": column}
    assert splits(found_with((2, 5, 9), columns=Columns(split="")))["test"] == []
    most = found_with(set(range(12)) - {3})  # which rows are in order, rather
    assert splits(most)["test"] == []
    assert not undecided(most.questions)
    note = f"The column {column!r} is called like a split, but would hold most images out: it is not taken for one."
    assert note in most.notes
    assert len(splits(found_with(set(range(12)) - {3}, columns=Columns(split=column)))["test"]) == 11


def test_a_class_that_is_called_like_a_split_is_one_of_one_hot_columns():
    rows = [["1", "0", "0"], ["0", "1", "0"], ["0", "0", "1"]]
    found = guessed(["file", "bus", "car", "train"], *rows)
    assert (found.labels[0].column, found.split) == ("bus,car,train", "")
    found = guessed(["file", "bus", "car", "valid"], ["1", "0", "1"], ["0", "1", "1"], ["1", "0", "0"], ["0", "1", "1"])
    assert (found.labels[0].column, found.split) == ("bus,car", "")


def test_a_table_that_says_no_split_leaves_that_of_the_folders(seen):
    files = {**pictures(6, "train/"), **pictures(4, "test/")}
    rows = [["f", "label"], *([name, "ab"[i % 2]] for i, name in enumerate(files))]
    assert splits(seen({**files, "l.csv": rows}))["test"] == sorted(pictures(4, "test/"))


def test_a_split_that_contradicts_the_folders_counts_and_is_asked_about(seen):
    files = {**pictures(6, "train/"), **pictures(4, "test/")}
    tested = (0, 6, 7, 8, 9)
    rows = [[n, "ab"[i % 2], "test" if i in tested else "train"] for i, n in enumerate(files)]
    files["l.csv"] = [["f", "label", "split"], *rows]
    found = seen(files)
    assert len(splits(found)["test"]) == 5
    assert asked(found) == {"split-source": "table"}
    assert len(splits(seen(files, **{"split-source": "folders"}))["test"]) == 4


# Which table


def test_a_table_for_each_split(seen):
    files = {**pictures(10)}
    tables = {
        "train.csv": [["f", "label"], *([f"{i:03d}.jpg", "ab"[i % 2]] for i in range(6))],
        "valid.csv": [["f", "label"], *([f"{i:03d}.jpg", "ab"[i % 2]] for i in range(6, 8))],
        "test.csv": [["f"], *([f"{i:03d}.jpg"] for i in range(8, 10))],
    }
    found = seen({**files, **tables})
    assert labels(found) == {"a": 4, "b": 4, None: 2}
    assert {"008.jpg", "009.jpg"} <= set(splits(found)["test"])


def test_a_one_hot_table_in_the_folder_of_each_split(seen):
    files = {}
    for split, count in (("train", 6), ("valid", 2), ("test", 2)):
        files |= pictures(count, f"{split}/")
        rows = [["filename", " cat", " dog"], *([f"{i:03d}.jpg", str(1 - i % 2), str(i % 2)] for i in range(count))]
        files[f"{split}/_classes.csv"] = rows
    found = seen(files)
    assert labels(found) == {"cat": 5, "dog": 5}
    assert splits(found)["test"] == ["test/000.jpg", "test/001.jpg"]


def test_tables_in_folders_by_class_are_no_labels(seen):
    files = {}
    for name in ("00000", "00001"):
        files |= pictures(4, f"Images/{name}/", ".ppm")
        rows = ["Filename;Width;ClassId", *(f"{i:03d}.ppm;30;{int(name)}" for i in range(4))]
        files[f"Images/{name}/GT-{name}.csv"] = "\n".join(rows)
    found = seen(files)
    assert labels(found) == {"00000": 4, "00001": 4}
    assert "2 tables lie in folders of their own" in " ".join(found.notes)


def test_a_sample_of_a_submission_is_no_table_of_labels(seen):
    files = {**pictures(6, "train/"), **{f"test/{i:03d}.jpg": None for i in range(6, 12)}}
    tables = {
        "labels.csv": [["id", "breed"], *([f"{i:03d}", "ab"[i % 2]] for i in range(6))],
        "sample_submission.csv": [["id", "a", "b"], *([f"{i:03d}", "0.5", "0.5"] for i in range(6, 12))],
    }
    assert labels(seen({**files, **tables})) == {"a": 3, "b": 3}


def test_of_several_tables_the_one_that_labels_counts(seen):
    names = [f"{i:03d}.jpg" for i in range(8)]
    files = {
        **pictures(8),
        "a_metadata.csv": [["f", "Width"], *([name, "30"] for name in names)],
        "labels.csv": [["f", "label"], *([name, "ab"[i % 2]] for i, name in enumerate(names))],
    }
    found = seen(files)
    assert labels(found) == {"a": 4, "b": 4}
    assert not found.questions
    assert "Not used: a_metadata.csv." in found.notes
    assert labels(seen(files, table="a_metadata.csv")) == {None: 8}
    files["other.csv"] = [["f", "class"], *([name, "uv"[i // 4]] for i, name in enumerate(names))]
    assert asked(seen(files)) == {"table": "labels.csv"}
    assert labels(seen(files, table="other.csv")) == {"u": 4, "v": 4}


def test_another_table_says_the_split(seen):
    names = [f"{i:03d}.jpg" for i in range(12)]
    files = {
        **pictures(12),
        "labels.csv": [["f", "label"], *([name, "ab"[i % 2]] for i, name in enumerate(names))],
        "eval_partition.csv": [["f", "partition"], *([name, str(i // 4)] for i, name in enumerate(names))],
    }
    found = seen(files)
    assert labels(found) == {"a": 6, "b": 6}
    assert splits(found)["test"] == names[8:]
    assert asked(found) == {"split-column": "partition"}


def test_official_tables_by_split_beside_one_of_something_else(seen):
    tables = {
        "Train.csv": [
            ["Width", "ClassId", "Path"],
            *([str(27 + i), str(i % 2), f"Train/{i:03d}.png"] for i in range(8)),
        ],
        "Test.csv": [["Width", "ClassId", "Path"], *([str(27 + i), str(i % 2), f"Test/{i:03d}.png"] for i in range(4))],
        "Meta.csv": [["Path", "ClassId"], *([f"Meta/{i:03d}.png", str(i)] for i in range(1))],
    }
    files = {
        name: None for start, n in (("Train/", 8), ("Test/", 4), ("Meta/", 1)) for name in pictures(n, start, ".png")
    }
    found = seen({**files, **tables})
    assert labels(found) == {"0": 6, "1": 6}
    assert splits(found)["test"] == [f"Test/{i:03d}.png" for i in range(4)]


def test_a_few_labels_among_many_images_are_seen(seen):
    rows = [[f"{i:03d}.jpg", ("fox", "hare")[i // 45 % 2] if i % 45 == 0 else ""] for i in range(540)]
    assert labels(seen({**pictures(540), "l.csv": [["file", "animal"], *rows]})) == {"fox": 6, "hare": 6, None: 528}


def test_images_called_by_numbers_beside_other_numbers(seen):
    rows = [["", "label", "id"], *([str(i), str(i % 2), str(11 - i)] for i in range(12))]
    found = seen({**{f"{i}.jpg": None for i in range(12)}, "l.csv": rows})
    assert (found.columns.path, found.columns.label, found.columns.group) == ("id", "label", "")
    assert {item.name: item.label for item in found.items}["0.jpg"] == "1"
    assert not any(item.group for item in found.items)


def test_folders_of_patients_are_no_classes(seen):
    names = [f"{split}/patient{i // 2:05d}/view{i % 2}.jpg" for split in ("train", "valid") for i in range(20)]
    rows = [[f"set/{name}", "Frontal" if i % 3 else "Lateral"] for i, name in enumerate(names)]
    for i, row in enumerate(rows):
        row += [str(float(i % 3 == k)) if i % 4 else "" for k in range(3)]
    header = ["Path", "Frontal/Lateral", "No Finding", "Edema", "Mass"]
    files = {"train.csv": [header, *rows[:20]], "valid.csv": [header, *rows[20:]]}
    found = seen({**dict.fromkeys(names), **files})
    assert found.columns.label == "No Finding,Edema,Mass"
    assert Counter(item.split for item in found.items) == {"train": 20, "test": 20}


def test_json_lines_as_hugging_face_writes_them(seen):
    lines = [
        f'{{"file_name": "{i:03d}.jpg", "label": {["null", "0", "1"][i % 3]}, "boxes": [[1, 2]]}}' for i in range(9)
    ]
    found = seen({**pictures(9), "metadata.jsonl": "\n".join(lines)})
    assert labels(found) == {"0": 3, "1": 3, None: 3}
    with pytest.raises(DamagedFileError, match=r"metadata.jsonl line 2 is no JSON"):
        seen({**pictures(9), "metadata.jsonl": lines[0] + "\n{oops"})
    with pytest.raises(DamagedFileError, match=r"metadata.jsonl line 2 is no JSON"):
        seen({**pictures(9), "metadata.jsonl": lines[0] + "\n" + "[" * 100_000})


def test_images_in_parquet_are_labeled_and_split_by_the_same_rules(seen, tmp_path):
    images = [{"bytes": PICTURE, "path": f"{i}.jpg"} for i in range(12)]

    def found_in(columns=None, **cells):
        pq.write_table(pa.table({"image": images, **cells}), tmp_path / "x.parquet")
        return inventory_of(tmp_path / "x.parquet", None, True, columns or Columns(), ImportSettings(), {})

    found = found_in(width=[30, 31] * 6, species=["a", "b", None] * 4, is_test=[i > 8 for i in range(12)])
    assert labels(found) == {"a": 4, "b": 4, None: 4}
    assert splits(found)["test"] == ["10.jpg", "11.jpg", "9.jpg"]
    several = found_in(labels=[["a"], ["b"], ["a", "b"]] * 4)
    assert labels(several) == {"a": 4, "b": 4, None: 4}
    assert asked(several) == {"several-labels": "single"}
    alike = {"tone": ["x", "y"] * 6, "shape": ["u", "u", "v"] * 4, "patient": [f"p{i // 2}" for i in range(12)]}
    assert asked(found_in(**alike)) == {"label-column": "tone"}
    chosen = found_in(Columns(label="shape"), **alike)
    assert labels(chosen) == {"u": 8, "v": 4}
    assert {item.group for item in chosen.items} == {f"p{i}" for i in range(6)}
    one_hot = found_in(cat=[i % 2 for i in range(12)], dog=[1 - i % 2 for i in range(12)])
    assert labels(one_hot) == {"cat": 6, "dog": 6}


def test_all_rows_without_an_image_are_counted(seen, monkeypatch):
    """A table may name millions of them: some are listed, and all are counted, before the import as after it."""
    monkeypatch.setattr("engine.intake.layouts.table.LISTED", 3)
    rows = [["f", "label"], *([f"{i:03d}.jpg", "ab"[i % 2]] for i in range(20))]
    found = seen({**pictures(12), "l.csv": rows})
    assert (len(found.skipped), found.skipped_more) == (3, 5)
    assert _preview(found, (), Reading()).skipped_count == 8
