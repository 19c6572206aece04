"""Small sources for tests: images that differ, and trees in exactly the layouts of known downloads."""

import csv
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from scipy.io import savemat

from engine.intake.layouts.official import CHEST_FINDINGS, EUROSAT, ISIC_CLASSES


def picture(number, size=(24, 24)):
    """An image that looks like no other number's."""
    coarse = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def jpg(number, size=(24, 24)):
    return encoded(picture(number, size), "JPEG", quality=90)


def put(root, files):
    """Write {name: bytes or text} below a folder."""
    for name, content in files.items():
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def zipped(path, files):
    """The same as a ZIP."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def classes_of(count, names=("cat", "dog"), prefix="", first=0):
    """`count` images of each class in folders by class."""
    return {f"{prefix}{name}/{i}.jpg": jpg(first + 1000 * k + i) for k, name in enumerate(names) for i in range(count)}


def table(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def dicom(number, *, photometric="MONOCHROME2", patient="", shape=(16, 20), values=None, **elements):
    """A DICOM file of 16 bits, uncompressed."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.PatientID, dataset.Modality = patient, "OT"
    if values is None:
        values = np.asarray(picture(number, shape[::-1]).convert("L"), dtype=np.uint16) * 16
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    for name, value in elements.items():
        setattr(dataset, name, value)
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def cifar_10(python=True):
    """cifar-10-batches-py as Python 2 pickled it (protocol 2, bytes keys), or cifar-10-batches-bin."""
    names = ("airplane", "automobile", "bird")
    files = {}
    for b, batch in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        pixels = np.stack([np.asarray(picture(100 * b + i, (32, 32))).transpose(2, 0, 1).ravel() for i in range(6)])
        labels = [i % 3 for i in range(6)]
        if python:
            value = {
                b"batch_label": batch.encode(),
                b"labels": labels,
                b"data": pixels,
                b"filenames": [f"{names[label]}_s_{i:06d}.png".encode() for i, label in enumerate(labels)],
            }
            files[f"cifar-10-batches-py/{batch}"] = pickle.dumps(value, protocol=2)
        else:
            rows = np.concatenate([np.array(labels, dtype=np.uint8)[:, None], pixels], axis=1)
            files[f"cifar-10-batches-bin/{batch}.bin"] = rows.tobytes()
    if python:
        meta = {b"num_cases_per_batch": 10000, b"label_names": [n.encode() for n in names], b"num_vis": 3072}
        files["cifar-10-batches-py/batches.meta"] = pickle.dumps(meta, protocol=2)
        files["cifar-10-batches-py/readme.html"] = "<html>"
    else:
        files["cifar-10-batches-bin/batches.meta.txt"] = "\n".join(names) + "\n\n"
    return files


def cub():
    classes = ("001.Black_footed_Albatross", "002.Laysan_Albatross")
    rows = [(i + 1, classes[i // 4], f"{classes[i // 4][4:]}_{i:04d}_{796 + i}.jpg") for i in range(8)]
    root = "CUB_200_2011/"
    return {
        "attributes.txt": "1 has_bill_shape::curved\n",
        **{f"{root}images/{folder}/{name}": jpg(i) for i, folder, name in rows},
        root + "images.txt": "".join(f"{i} {folder}/{name}\n" for i, folder, name in rows),
        root + "image_class_labels.txt": "".join(f"{i} {classes.index(folder) + 1}\n" for i, folder, _ in rows),
        root + "train_test_split.txt": "".join(f"{i} {int(i % 4 != 0)}\n" for i, _, _ in rows),
        root + "classes.txt": "".join(f"{k + 1} {name}\n" for k, name in enumerate(classes)),
        root + "bounding_boxes.txt": "".join(f"{i} 1.0 1.0 2.0 2.0\n" for i, _, _ in rows),
        root + "README": "text",
    }


def nabirds():
    names = {
        "0": "Birds",
        "1": "Ducks",
        "295": "Common Loon (Breeding)",
        "296": "House Sparrow",
        "297": "House Sparrow",
    }
    rows = [(f"00{i:02d}aa-bb", ("295", "296", "297")[i % 3]) for i in range(9)]
    file = {key: f"{int(label):04d}/{key.replace('-', '')}.jpg" for key, label in rows}
    root = "nabirds/"
    return {
        **{f"{root}images/{file[key]}": jpg(i) for i, (key, _) in enumerate(rows)},
        root + "images.txt": "".join(f"{key} {file[key]}\n" for key, _ in rows),
        root + "image_class_labels.txt": "".join(f"{key} {label}\n" for key, label in rows),
        root + "train_test_split.txt": "".join(f"{key} {int(i < 6)}\n" for i, (key, _) in enumerate(rows)),
        root + "classes.txt": "".join(f"{key} {name}\n" for key, name in names.items()),
        root + "hierarchy.txt": "1 0\n295 1\n296 1\n297 1\n",
        root + "photographers.txt": "".join(f"{key} Somebody\n" for key, _ in rows),
        root + "sizes.txt": "".join(f"{key} 24 24\n" for key, _ in rows),
    }


def pets():
    names = [("Abyssinian", 1, 1), ("american_bulldog", 2, 2)]
    training = [f"{n}_{i} {c} {s} 1" for n, c, s in names for i in range(1, 5)]
    held_out = [f"{n}_{i} {c} {s} 1" for n, c, s in names for i in range(201, 203)]
    header = "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\n"
    stems = [line.split()[0] for line in training + held_out]
    return {
        **{f"images/{stem}.jpg": jpg(i) for i, stem in enumerate(stems)},
        "images/Abyssinian_100.mat": b"not an image",
        **{f"annotations/trimaps/{stem}.png": encoded(Image.new("L", (4, 4))) for stem in stems},
        "annotations/list.txt": header + "\n".join(training + held_out),
        "annotations/trainval.txt": "\n".join(training) + "\n",
        "annotations/test.txt": "\n".join(held_out) + "\n",
    }


def dogs():
    folders = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")
    files = [f"{folder}/{folder.split('-')[0]}_{i}.jpg" for folder in folders for i in range(5)]
    lists = {}
    for name, keep in (("train", lambda i: i % 5 < 3), ("test", lambda i: i % 5 >= 3), ("file", lambda i: True)):
        chosen = [(f, i // 5 + 1) for i, f in enumerate(files) if keep(i)]
        cells = np.empty((len(chosen), 1), dtype=object)
        cells[:, 0] = [f for f, _ in chosen]
        stream = io.BytesIO()
        labels = np.array([[label] for _, label in chosen], dtype=np.uint8)
        savemat(stream, {"file_list": cells, "annotation_list": cells, "labels": labels}, do_compression=True)
        lists[f"{name}_list.mat"] = stream.getvalue()
    annotations = {f"Annotation/{f[:-4]}": "<annotation></annotation>" for f in files}
    return {**{f"Images/{f}": jpg(i) for i, f in enumerate(files)}, **annotations, **lists}


def eurosat():
    return {f"2750/{name}/{name}_{i}.jpg": jpg(10 * k + i, (64, 64)) for k, name in enumerate(EUROSAT) for i in (1, 2)}


def isic(test=True):
    codes = list(ISIC_CLASSES)
    files, lesions = {}, []
    parts = [("Training", 28, 24306)] + ([("Validation", 7, 34321), ("Test", 7, 34524)] if test else [])
    for part, count, first in parts:
        rows = [["image", *codes]]
        for i in range(count):
            name = f"ISIC_{first + i:07d}"
            files[f"ISIC2018_Task3_{part}_Input/{name}.jpg"] = jpg(first + i)
            rows.append([name, *(f"{float(k == i % 7)}" for k in range(7))])
            if part == "Training":
                lesions.append([name, f"HAM_{i // 2:07d}", "histopathology"])
        files[f"ISIC2018_Task3_{part}_GroundTruth/ISIC2018_Task3_{part}_GroundTruth.csv"] = table(rows)
        files[f"ISIC2018_Task3_{part}_Input/ATTRIBUTION.txt"] = "text"
    files["ISIC2018_Task3_Training_LesionGroupings.csv"] = table(
        [["image", "lesion_id", "diagnosis_confirm_type"], *lesions]
    )
    return files


def chest():
    header = ["Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender"]
    header += ["View Position", "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]", ""]
    rows, files = [header], {}
    training, held_out = [], []
    for patient in range(1, 13):
        for number in range(2):
            name = f"{patient:08d}_{number:03d}.png"
            finding = CHEST_FINDINGS[patient % 3]
            if patient == 3:
                finding = "Effusion|Mass"
            if patient == 4:
                finding = "No Finding"
            rows.append([name, finding, number, patient, 58, "M", "PA", 2682, 2749, 0.143, 0.143])
            files[f"images_00{1 + patient % 2}/images/{name}"] = encoded(picture(10 * patient + number).convert("L"))
            (held_out if patient > 9 else training).append(name)
    files["Data_Entry_2017_v2020.csv"] = table(rows)
    files["train_val_list.txt"] = "\n".join(training)
    files["test_list.txt"] = "\n".join(held_out)
    files["BBox_List_2017.csv"] = table([["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"]])
    return files
