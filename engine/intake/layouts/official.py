"""The official downloads of known data sets, unpacked or still packed, with their official splits."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from engine.errors import InvalidInputError
from engine.images.reading import Reading
from engine.intake.inventory import Found, Inventory, Item, below, count_by, read_lines, read_pairs, tree_inventory
from engine.intake.layouts.matlab import matlab_lists
from engine.intake.sources import Skipped
from engine.intake.tables import settle_validation
from engine.tasks.names import clean_text


def _present(found: Found, names: list[tuple[Item, str]]) -> tuple[list[Item], tuple[Skipped, ...]]:
    """Items whose file is there, and the others."""
    items = [item for item, file in names if file in found.tree.files]
    return items, tuple(
        Skipped(file, "is in the data set's lists, but is not there")
        for _, file in names
        if file not in found.tree.files
    )


def _indexed(
    found: Found, root: str, titles: dict[str, str], layout: str, title: str, collection: str, license: str
) -> Inventory:
    """Data sets of images.txt, image_class_labels.txt and train_test_split.txt, each with an image's id and a value."""
    paths = read_pairs(found, root + "images.txt")
    labels = read_pairs(found, root + "image_class_labels.txt")
    training = read_pairs(found, root + "train_test_split.txt")
    rows = []
    for key, path in paths.items():
        if key not in labels or key not in training:
            raise InvalidInputError(f"{root}images.txt names {key!r}, which the other lists lack: download it again.")
        label = titles.get(labels[key])
        if label is None:
            raise InvalidInputError(f"{root}classes.txt has no class {labels[key]!r}: download the data set again.")
        file = f"{root}images/{path}"
        rows.append((Item(file, label, "train" if training[key] == "1" else "test"), file))
    items, skipped = _present(found, rows)
    used = {labels[key] for key in paths}
    classes = tuple(title for key, title in titles.items() if key in used)
    return tree_inventory(
        found, layout, title, items, classes=classes, skipped=skipped, collection=collection, license=license,
        notes=("The official split is kept.",),
    )  # fmt: skip


def cub_200_2011(found: Found) -> Inventory | None:
    """Caltech-UCSD Birds-200-2011: classes.txt holds "1 001.Black_footed_Albatross"."""
    root = below(found.tree, "image_class_labels.txt")
    if root is None or root + "hierarchy.txt" in found.tree.files or root + "classes.txt" not in found.tree.files:
        return None
    names = read_pairs(found, root + "classes.txt")
    titles = {key: re.sub(r"^\d+\.", "", name).replace("_", " ") for key, name in names.items()}
    return _indexed(
        found, root, titles, "cub-200-2011", "Caltech-UCSD Birds-200-2011", "cub-200-2011", "non-commercial"
    )


def nabirds(found: Found) -> Inventory | None:
    """NABirds: as CUB, with a tree of classes in hierarchy.txt, whose leaves are used."""
    root = below(found.tree, "image_class_labels.txt")
    if root is None or root + "hierarchy.txt" not in found.tree.files:
        return None
    names = read_pairs(found, root + "classes.txt")
    counts = count_by(list(names.values()))
    titles = {key: name if counts[name] == 1 else f"{name} [{key}]" for key, name in names.items()}
    return _indexed(found, root, titles, "nabirds", "NABirds", "nabirds", "Cornell Lab, non-commercial research")


def oxford_pets(found: Found) -> Inventory | None:
    """Oxford-IIIT Pet: annotations/trainval.txt and test.txt hold "Abyssinian_100 1 1 1" (name, class, ...)."""
    root = below(found.tree, "annotations/trainval.txt")
    if root is None or root + "annotations/test.txt" not in found.tree.files:
        return None
    rows, classes = [], {}
    for split, file in (("train", "trainval.txt"), ("test", "test.txt")):
        for line in read_lines(found, root + "annotations/" + file):
            if line.startswith("#"):
                continue
            cells = line.split()
            if len(cells) < 2 or "_" not in cells[0] or not cells[1].isdigit():
                raise InvalidInputError(f"{file}: {line[:60]!r} is no line of Oxford-IIIT Pet: download it again.")
            label = cells[0].rsplit("_", 1)[0].replace("_", " ")
            classes[int(cells[1])] = label
            path = f"{root}images/{cells[0]}.jpg"
            rows.append((Item(path, label, split), path))
    items, skipped = _present(found, rows)
    return tree_inventory(
        found, "oxford-iiit-pet", "Oxford-IIIT Pet", items, classes=tuple(classes[k] for k in sorted(classes)),
        skipped=skipped, collection="oxford-iiit-pet", license="CC BY-SA 4.0", notes=("The official split is kept.",),
    )  # fmt: skip


def stanford_dogs(found: Found) -> Inventory | None:
    """Stanford Dogs: Images/n02085620-Chihuahua/*.jpg, and train_list.mat and test_list.mat (file_list, labels)."""
    root = below(found.tree, "train_list.mat")
    if root is None or root + "test_list.mat" not in found.tree.files:
        return None
    images = next((n.split("Images/")[0] + "Images/" for n in found.tree.files if "/Images/" in "/" + n), "Images/")
    rows, classes = [], {}
    for split in ("train", "test"):
        name = f"{root}{split}_list.mat"
        lists = matlab_lists(found.tree.read(name, found.settings.list_bytes), name)
        if "file_list" not in lists or len(lists.get("labels", ())) != len(lists["file_list"]):
            raise InvalidInputError(f"{name} lacks file_list or labels: download the data set again.")
        for path, number in zip(lists["file_list"], lists["labels"], strict=True):
            folder = str(path).split("/")[0]
            label = clean_text(folder.split("-", 1)[-1].replace("_", " "))
            classes[int(number)] = label
            rows.append((Item(images + str(path), label, split), images + str(path)))
    items, skipped = _present(found, rows)
    return tree_inventory(
        found, "stanford-dogs", "Stanford Dogs", items, classes=tuple(classes[k] for k in sorted(classes)),
        skipped=skipped, collection="imagenet", license="research only (ImageNet)",
        notes=("The official split is kept.", "Its images are from ImageNet: teachers that saw ImageNet are refused."),
    )  # fmt: skip


EUROSAT = (
    *("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop"),
    *("Residential", "River", "SeaLake"),
)


def eurosat(found: Found) -> Inventory | None:
    """EuroSAT, RGB (2750/AnnualCrop/AnnualCrop_1.jpg) or all 13 bands (.tif). There is no official split."""
    pattern = re.compile(r"(?:^|/)(" + "|".join(EUROSAT) + r")/\1_\d+\.(jpg|tif)$")
    matches = [(name, match) for name in found.tree.files if (match := pattern.search(name))]
    if len({match.group(1) for _, match in matches}) < len(EUROSAT):
        return None
    bands = any(match.group(2) == "tif" for _, match in matches)
    items = [Item(name, match.group(1)) for name, match in matches]
    notes = ["EuroSAT has no official split."]
    if bands:
        notes.append("Of the 13 bands, 4, 3 and 2 are red, green and blue, from 0 to 2,750 as in its RGB files.")
    return tree_inventory(
        found, "eurosat", "EuroSAT", items, classes=EUROSAT, collection="eurosat", license="MIT", notes=tuple(notes),
        reading=Reading(channels=(4, 3, 2), value_range=(0.0, 2750.0)) if bands else None,
    )  # fmt: skip


ISIC_CLASSES = {
    "MEL": "melanoma",
    "NV": "melanocytic nevus",
    "BCC": "basal cell carcinoma",
    "AKIEC": "actinic keratosis",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular lesion",
}


def isic_2018_task_3(found: Found) -> Inventory | None:
    """ISIC 2018 task 3: *_Training_GroundTruth.csv (image, MEL, NV, ...) with one 1.0 a row; validation and test alike.

    The lesion of each training image is its group where LesionGroupings.csv is there.
    """
    tables = {
        part: name
        for name in found.tree.files
        if (match := re.search(r"ISIC2018_Task3_(Training|Validation|Test)_GroundTruth\.csv$", name))
        for part in [match.group(1)]
    }
    if "Training" not in tables:
        return None
    files = {n.rsplit("/", 1)[-1][:-4]: n for n in found.tree.files if re.search(r"(^|/)ISIC_\d+\.jpg$", n)}
    lesions = _lesions(found)
    items, skipped = [], []
    for part, table in tables.items():
        split = {"Training": "train", "Validation": "val", "Test": "test"}[part]
        for row in _csv_rows(found, table, ("image", *ISIC_CLASSES)):
            positive = [code for code in ISIC_CLASSES if _number(row[code]) == 1]
            if len(positive) != 1:
                raise InvalidInputError(f"{table}: image {row['image'][:40]!r} has {len(positive)} classes, not one.")
            file = files.get(row["image"])
            if file is None:
                skipped.append(Skipped(row["image"], "is in the ground truth, but is not there"))
            else:
                items.append(Item(file, ISIC_CLASSES[positive[0]], split, lesions.get(row["image"])))
    items, notes = settle_validation(items)
    if all(item.split == "train" for item in items):  # the test's truth came years later: a split of our own
        items = [Item(i.name, i.label, None, i.group) for i in items]
        notes = [*notes, "Only training images have labels here, so the test images are drawn from them."]
    else:
        notes = ["The official split is kept.", *notes]
    if lesions:
        notes.append("Each training image's lesion is its group.")
    return tree_inventory(
        found, "isic-2018-task-3", "ISIC 2018 task 3", items, classes=tuple(ISIC_CLASSES.values()),
        skipped=tuple(skipped), collection="isic-2018", license="CC BY-NC 4.0", notes=tuple(notes),
    )  # fmt: skip


def _lesions(found: Found) -> dict[str, str]:
    name = next((n for n in found.tree.files if n.endswith("LesionGroupings.csv")), None)
    if name is None:
        return {}
    return {
        row["image"]: row["lesion_id"] for row in _csv_rows(found, name, ("image", "lesion_id")) if row["lesion_id"]
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _csv_rows(found: Found, name: str, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Rows of a data set's own table. Raises InvalidInputError if a column is missing."""
    rows = csv.reader(read_lines(found, name))
    header = [cell.strip() for cell in next(rows, [])]
    if lacking := [column for column in needed if column not in header]:
        raise InvalidInputError(f"{name} has no column {lacking[0]!r}: download the data set again.")
    places = {column: header.index(column) for column in needed}
    for row in rows:
        yield {column: row[place].strip() if place < len(row) else "" for column, place in places.items()}


CHEST_FINDINGS = (
    *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia"),
    *("Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax"),
)


def chestx_ray14(found: Found) -> Inventory | None:
    """ChestX-ray14: Data_Entry_2017*.csv, train_val_list.txt and test_list.txt, images in images_001/images and so on.

    A task has one class an image: those with exactly one of the 14 findings are kept, and what is dropped is said.
    Patients are groups.
    """
    table = next((n for n in found.tree.files if re.search(r"(^|/)Data_Entry_2017[^/]*\.csv$", n)), None)
    if table is None:
        return None
    root = table.rsplit("/", 1)[0] + "/" if "/" in table else ""
    held_out = _listed(found, root + "test_list.txt")
    training = _listed(found, root + "train_val_list.txt")
    files = {n.rsplit("/", 1)[-1]: n for n in found.tree.files if n.lower().endswith(".png")}
    items, skipped, several, none, strange = [], [], 0, 0, 0
    for row in _csv_rows(found, table, ("Image Index", "Finding Labels", "Patient ID")):
        name, findings = row["Image Index"], row["Finding Labels"].split("|")
        if len(findings) > 1:
            several += 1
        elif findings[0] in ("No Finding", ""):
            none += 1
        elif findings[0] not in CHEST_FINDINGS:
            strange += 1
        elif name not in files:
            skipped.append(Skipped(name, "is in the table, but is not there"))
        else:
            split = "test" if name in held_out else "train" if name in training else None
            items.append(Item(files[name], findings[0].replace("_", " "), split, f"patient {row['Patient ID']}"))
    notes = [
        f"Kept: images with exactly one finding. Dropped: {several:,} with several findings, {none:,} without a finding"
        + (f", {strange:,} with another label." if strange else "."),
        "Each patient is a group.",
        "The official split is kept." if held_out else "test_list.txt is not there, so the test images are drawn here.",
    ]
    return tree_inventory(
        found, "chestx-ray14", "ChestX-ray14, images with a single finding", items, skipped=tuple(skipped),
        classes=tuple(name.replace("_", " ") for name in CHEST_FINDINGS), collection="chestx-ray14",
        license="NIH Clinical Center, free use with attribution", notes=tuple(notes),
    )  # fmt: skip


def _listed(found: Found, name: str) -> frozenset[str]:
    return frozenset(line.strip() for line in read_lines(found, name)) if name in found.tree.files else frozenset()
