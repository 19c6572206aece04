"""What folders mean, told from their names alone: trees without pictures in public layouts and in odd ones."""

import io
from collections import Counter

import pytest

from engine.intake.inventory import Columns, Found
from engine.intake.layouts.folder_words import split_of
from engine.intake.layouts.plain import folders
from engine.intake.sources import Tree
from engine.settings import ImportSettings


class Names(Tree):
    """Files that are nothing but a name, and lists that have content."""

    def __init__(self, files):
        self.title, self.skipped = "names", []
        self._content = {name: content.encode() for name, content in files.items()}
        self.files = {name: len(content) for name, content in self._content.items()}

    def open(self, name):
        return io.BytesIO(self._content[name])


def images(*folders_of, count=4, stem="{}", suffix=".jpg"):
    """`count` images in each folder."""
    return {f"{f}/{stem.format(i)}{suffix}".lstrip("/"): "" for f in folders_of for i in range(count)}


def splits(train, test, classes=("cats", "dogs"), **rest):
    """Four training and two test images of each class."""
    return images(*(f"{train}/{c}" for c in classes), **rest) | images(*(f"{test}/{c}" for c in classes), count=2)


def recognized(files, answers=None, **columns):
    return folders(Found(Names(files), ImportSettings(), Columns(**columns), answers or {}))


def counts(inventory):
    return dict(Counter((item.split, item.label) for item in inventory.items))


def asked(inventory):
    return {question.key: question.chosen for question in inventory.questions}


BOTH = {("train", "cats"): 4, ("train", "dogs"): 4, ("test", "cats"): 2, ("test", "dogs"): 2}
ONLY = {(None, "cats"): 4, (None, "dogs"): 4}
MASKED = {("train", "good"): 4, ("test", "good"): 4, ("test", "cut"): 4}
SPLITS = {
    "plain words": splits("train", "test"),
    "capitals": splits("Train", "TEST"),
    "with set": splits("training_set/training_set", "test_set/test_set"),
    "with seg": splits("seg_train/seg_train", "seg_test/seg_test"),
    "one word": splits("TrainSet", "TestSet"),
    "joined": splits("traindata", "testdata"),
    "with a letter": splits("Train", "TestA"),
    "words and spaces": splits("Training Data", "Testing Data"),
    "with images": splits("train_images", "test_images"),
    "images within": splits("train/images", "test/images"),
    "with a year": splits("train2017", "test2017"),
    "of a data set": splits("cars_train", "cars_test"),
    "eval": splits("train", "eval"),
    "val": splits("train", "val"),
    "dev": splits("trn", "dev"),
    "holdout": splits("train", "hold_out"),
    "train and val together": splits("train_val", "test"),
    "deep below": splits("a/b c/train", "a/b c/test"),
    "docs beside": splits("train", "test") | images("docs", count=1),
    "loose picture beside": splits("train", "test") | {"overview.png": ""},
    "docs beside what holds them": splits("data/train", "data/test") | images("docs", count=1),
    "once more within": splits("xray/train", "xray/test") | splits("xray/xray/train", "xray/xray/test"),
    "sides within classes": images("cats/train", "dogs/train") | images("cats/test", "dogs/test", count=2),
    "labeled is to train on": splits("labeled", "test"),
    "test beside classes": images("cats", "dogs") | images("test/cats", "test/dogs", count=2),
    "public and private": splits("Training", "PublicTest"),
    "unlike, with the same classes": splits("train", "easy_test"),
    "train alone": images("train/cats", "train/dogs") | images("train/val", count=0),
}


@pytest.mark.parametrize("name", SPLITS)
def test_splits_are_seen_by_the_names_of_folders(name):
    found = recognized(SPLITS[name])
    assert counts(found) == ({k: n for k, n in BOTH.items() if k[0] == "train"} if "alone" in name else BOTH)
    assert set(asked(found)) <= {"beside-split"}
    assert found.layout == "split-folders"


@pytest.mark.parametrize("word", ["train", "test", "val", "dev", "eval", "unlabeled", "unsorted"])
def test_a_class_called_like_a_split_stays_a_class_below_one(word):
    found = recognized(splits("train", "test", ("bus", "car", word)))
    assert counts(found)["train", word] == 4
    assert counts(found)["test", word] == 2


@pytest.mark.parametrize("names", [("bus", "car", "train"), ("steam train", "test tube"), ("strain", "contest")])
def test_names_that_hold_a_word_of_a_split_are_classes(names):
    assert counts(recognized(images(*names))) == {(None, name): 4 for name in names}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train", ("train", frozenset())),
        ("cars_train", ("train", {"cars"})),
        ("ISIC_2019_Test_Input", ("test", {"isic", "input"})),
        ("seg_pred", ("test", {"seg"})),
        ("TestB", ("test", frozenset())),
        ("strain", None),
        ("train_test", None),
        ("1", None),
    ],
)
def test_what_a_name_says_of_a_split(name, said):
    assert split_of(name) == said


UNLABELED = {
    "test without folders": (
        splits("train", "val") | images("test"),
        {**BOTH, ("test", None): 4},
    ),
    "pictures to predict": (
        splits("seg_train/seg_train", "seg_test/seg_test") | images("seg_pred/seg_pred"),
        {**BOTH, ("test", None): 4},
    ),
    "no labels at all": (images("cars_train") | images("cars_test", count=2), {("train", None): 4, ("test", None): 2}),
    "labeled and unlabeled": (images("labeled/a", "labeled/b") | images("unlabeled"), {
        (None, "a"): 4, (None, "b"): 4, ("train", None): 4,
    }),
    "unlabeled beside splits": (splits("train", "test") | images("unlabeled"), {**BOTH, ("train", None): 4}),
    "labeled and unlabeled images": (images("labeled-images/a", "labeled-images/b") | images("UnlabeledImages"), {
        (None, "a"): 4, (None, "b"): 4, ("train", None): 4,
    }),
    "unlabeled beside classes": (images("cats", "dogs") | images("unlabeled"), {**ONLY, ("train", None): 4}),
    "test beside classes": (images("cats", "dogs") | images("test"), {
        ("train", "cats"): 4, ("train", "dogs"): 4, ("test", None): 4,
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", UNLABELED)
def test_images_without_classes_are_unlabeled(name):
    files, wanted = UNLABELED[name]
    assert counts(recognized(files)) == wanted


def test_validation_images_train_where_labeled_ones_test():
    files = splits("train", "test") | images("val/cats", "val/dogs", count=1)
    assert counts(recognized(files)) == {**BOTH, ("train", "cats"): 5, ("train", "dogs"): 5}


def test_what_lies_beside_splits_may_be_unlabeled_images():
    files = splits("train", "test") | images("extra")
    assert asked(recognized(files)) == {"beside-split": "leave-out"}
    found = recognized(files, {"beside-split": "unlabeled"})
    assert counts(found) == {**BOTH, ("train", None): 4}


MASKS = {
    "beside images": images("images/cats", "images/dogs") | images("masks/cats", "masks/dogs", suffix=".png"),
    "in each class": images("cats/images", "dogs/images") | images("cats/masks", "dogs/masks", suffix=".png"),
    "beside each picture": images("cats", "dogs") | images("cats", "dogs", stem="{}_mask", suffix=".png"),
    "of all classes": images("cats", stem="a{}") | images("dogs", stem="b{}")
    | images("ground_truth", stem="a{}", suffix=".png") | images("ground_truth", stem="b{}", suffix=".png"),
}  # fmt: skip


@pytest.mark.parametrize("name", MASKS)
def test_masks_are_left_out_and_asked_about(name):
    found = recognized(MASKS[name])
    assert counts(found) == ONLY
    assert asked(found) == {"masks": "leave-out"}
    assert found.questions[0].in_force.labeled_images == 8
    used = recognized(MASKS[name], {"masks": "use"})
    assert len(used.items) == 16
    assert used.questions[0].decided


def test_masks_beside_variants_are_none_of_them():
    files = images(*(f"{v}/{c}" for v in ("color", "gray") for c in ("cats", "dogs")))
    found = recognized(files | images("masks/cats", "masks/dogs", suffix=".png"))
    assert counts(found) == ONLY
    assert asked(found) == {"masks": "leave-out", "folder-levels": "one-variant"}


def test_voc_is_pictures_without_classes_and_masks():
    found = recognized(images("JPEGImages") | images("SegmentationClass", "SegmentationObject", suffix=".png"))
    assert counts(found) == {(None, None): 4}
    assert asked(found) == {"masks": "leave-out"}


def test_ground_truth_beside_splits_is_masks():
    files = images("train/good", "test/good", "test/cut") | images("ground_truth/cut", stem="{}_mask")
    assert counts(recognized(files)) == MASKED


def test_classes_of_masks_for_faces_stay_classes():
    for names in (("mask", "no mask"), ("with_mask", "without_mask"), ("face", "mask")):
        assert counts(recognized(images(*names))) == {(None, name): 4 for name in names}


def test_variants_of_the_same_pictures_are_used_once():
    files = images(*(f"plants/{v}/{c}" for v in ("color", "grayscale", "segmented") for c in ("cats", "dogs")))
    found = recognized(files)
    assert counts(found) == ONLY
    assert all("color" in item.name for item in found.items)
    assert [(one.key, one.labeled_images) for one in found.questions[0].interpretations] == [
        ("one-variant", 8), ("outer", 24), ("inner", 24),
    ]  # fmt: skip
    assert counts(recognized(files, {"folder-levels": "outer"}))[None, "grayscale"] == 8
    assert counts(recognized(files, {"folder-levels": "inner"})) == {(None, "cats"): 12, (None, "dogs"): 12}


def test_pictures_with_the_same_names_are_variants_whatever_they_are_called():
    files = images(*(f"{v}/{c}" for v in ("one", "two") for c in ("cats", "dogs")), stem="leaf-of-may-{}-x")
    assert counts(recognized(files)) == ONLY
    assert asked(recognized(files)) == {"folder-levels": "one-variant"}


@pytest.mark.parametrize(
    ("outer", "inner", "chosen"),
    [
        (("2019", "2020"), ("cats", "dogs"), "inner"),
        (("40X", "100X"), ("cats", "dogs"), "inner"),
        (("site 1", "site 2"), ("cats", "dogs"), "inner"),
        (("cats", "dogs"), ("2019", "2020"), "outer"),
        (("cats", "dogs"), ("indoor", "outdoor"), "outer"),
        (("cats", "dogs"), ("p001", "p002", "p003"), "groups"),
        (("north", "south"), ("cats", "dogs", "rats", "mice", "bats"), "inner"),
    ],
)
def test_folders_that_come_again_in_folders_are_asked_about(outer, inner, chosen):
    found = recognized(images(*(f"{o}/{i}" for o in outer for i in inner)))
    assert asked(found) == {"folder-levels": chosen}
    assert {item.label for item in found.items} == set(inner if chosen == "inner" else outer)


def test_folders_of_patients_within_classes_become_groups():
    files = images(*(f"{c}/{c[0]}{n}" for c in ("cats", "dogs") for n in range(3)))
    found = recognized(files)
    assert asked(found) == {"folder-levels": "groups"}
    assert {item.group for item in found.items if item.label == "cats"} == {"c0", "c1", "c2"}
    assert {item.group for item in recognized(files, {"folder-levels": "outer"}).items} == {None}


def test_levels_of_one_folder_say_nothing():
    found = recognized(images(*(f"{c}/SOB/{c}-{n}/x" for c in ("benign", "malignant") for n in range(3))))
    assert asked(found) == {"folder-levels": "groups"}
    assert {(item.label, item.group) for item in found.items} >= {("benign", "benign-0"), ("malignant", "malignant-2")}


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("2020-05-01", "2020-05-02"), "groups"),
        (("Patient 1", "Patient 2", "Patient 3"), "groups"),
        (("camera_A2", "camera_B1"), "groups"),
        (("patient_000_node_1", "patient_017_node_2"), "groups"),
        (("day", "night"), "class"),
    ],
)
def test_folders_called_like_days_or_patients_are_asked_about(names, chosen):
    found = recognized(images(*names))
    assert asked(found) == {"folder-classes": chosen}
    assert {item.label for item in found.items} == (set(names) if chosen == "class" else {None})
    assert {item.group for item in found.items} == (set(names) if chosen == "groups" else {None})
    assert {i.label for i in recognized(images(*names), {"folder-classes": "class"}).items} == set(names)


def test_kinds_of_kinds_are_asked_about_too():
    files = images("animals/cat", "animals/dog", "plants/rose", "plants/oak")
    assert asked(recognized(files)) == {"folder-levels": "outer"}
    assert {i.label for i in recognized(files, {"folder-levels": "inner"}).items} == {"cat", "dog", "rose", "oak"}


def test_of_three_levels_the_innermost_may_be_the_classes():
    files = images("gut/seen/cecum", "gut/ill/polyp", "stomach/seen/pylorus", "stomach/ill/ulcer")
    found = recognized(files, {"folder-levels": "innermost"})
    assert {item.label for item in found.items} == {"cecum", "polyp", "pylorus", "ulcer"}


def test_a_folder_around_all_labeled_ones_is_no_class():
    files = images("labeled/organ/a", "labeled/organ/b") | images("unlabeled")
    assert counts(recognized(files)) == {(None, "a"): 4, (None, "b"): 4, ("train", None): 4}


def test_folders_that_are_no_classes_may_be_groups():
    files = images(*(f"p{n}" for n in range(6)))
    found = recognized(files, label="")
    assert counts(found) == {(None, None): 24}
    assert asked(found) == {"folder-groups": "groups"}
    assert len({item.group for item in found.items}) == 6


def tiny_imagenet(annotations):
    files = images("t/train/n01/images", "t/train/n02/images") | images("t/val/images", stem="val_{}")
    return files | images("t/test/images") | {"t/val/val_annotations.txt": annotations}


def test_tiny_imagenet_has_the_classes_of_its_list():
    lines = "".join(f"val_{i}.jpg\tn0{1 + i % 2}\t0\t0\t60\t60\n" for i in range(4))
    labeled = {("train", "n01"): 4, ("train", "n02"): 4}
    test = {("test", "n01"): 2, ("test", "n02"): 2, ("test", None): 4}
    assert counts(recognized(tiny_imagenet(lines))) == {**labeled, **test}
    assert counts(recognized(tiny_imagenet("a list of something else\n"))) == {**labeled, ("test", None): 8}


def listed(*lines):
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(
    ("train", "test", "form"),
    [
        ("meta/train.txt", "meta/test.txt", "{c}/{i}"),
        ("TrainImages.txt", "TestImages.txt", "{c}/{i}.jpg"),
        ("lists/train_list.txt", "lists/val.txt", "./all/{c}/{i}.jpg 7"),
    ],
)
def test_lists_of_a_split_count_where_folders_say_none(train, test, form):
    files = images("all/cats", "all/dogs", count=6)
    lines = {i: [form.format(c=c, i=i) for c in ("cats", "dogs")] for i in range(6)}
    files |= {train: listed(*(line for i in range(4) for line in lines[i])), test: listed(*lines[4], *lines[5])}
    found = recognized(files)
    assert counts(found) == BOTH
    assert any("The split is that of" in note for note in found.notes)


@pytest.mark.parametrize(
    "lists",
    [
        {"train.txt": listed("cats/0", "dogs/0")},
        {"train1.txt": listed("cats/0", "dogs/0"), "test1.txt": listed("cats/1", "dogs/1")},
        {"train.txt": listed("bats/0", "rats/0"), "test.txt": listed("cats/1", "dogs/1")},
        {"train.txt": listed("0", "1"), "test.txt": listed("2", "3")},
        {"val.txt": listed("cats/1"), "test.txt": listed("cats/1"), "train.txt": listed("dogs/0")},
        {"train.txt": "", "test.txt": "read me first"},
    ],
)
def test_other_lists_are_no_split(lists):
    assert counts(recognized(images("cats", "dogs") | lists)) == ONLY
