"""Text that is not UTF-8: which encoding is taken, that it is said and can be changed, and that nothing is lost."""

import io
import os
import struct
import tarfile
import unicodedata
import zipfile
import zlib

import pytest

from engine.errors import InvalidInputError, UnknownNameError
from engine.intake.discovery import inventory_of
from engine.intake.encodings import ENCODINGS, check_encoding, decoded_names, encoding_of_text
from engine.intake.inventory import Columns
from engine.settings import ImportSettings
from engine.tasks.questions import as_option
from tests.engine.intake import made_sources as made

TREES = {
    "cp1250": ("dąb", "świerk", "brzoza", "sosna zwyczajna"),
    "cp1251": ("дуб", "ель", "сосна", "осина"),
    "cp1252": ("räv", "älg", "björn", "får"),
    "cp1253": ("γάτα", "σκύλος", "άλογο", "ψάρι"),
    "cp1254": ("meşe", "çam", "kayın", "söğüt"),
    "cp1255": ("חתול", "כלב", "סוס", "דג"),
    "cp1256": ("قط", "كلب", "حصان", "سمكة"),
    "gbk": ("橡树", "松树", "白桦", "云杉"),
    "big5": ("橡樹", "松樹", "白樺", "雲杉"),
    "shift_jis": ("ネコ", "イヌ", "トリ", "サカナ"),
    "cp949": ("고양이", "개", "새", "물고기"),
    "utf-16": ("дуб", "ель", "cat", "dog"),
    "utf-16-le": ("oak", "elk", "räv", "дуб"),
    "utf-32": ("дуб", "猫", "cat", "dog"),
    "utf-8-sig": ("дуб", "猫", "cat", "dog"),
}


def table(words, count=24):
    return "\r\n".join(["image,label", *(f"images/{i:02}.jpg,{words[i % len(words)]}" for i in range(count))])


def listed(folder, content, answers=None):
    """The inventory of a folder of 24 images and a table with this content."""
    files = {f"images/{i:02}.jpg": b"\xff\xd8\xff" for i in range(24)}
    return find(made.put(folder, {**files, "labels.csv": content}), answers)


def find(path, answers=None):
    return inventory_of(path, None, True, Columns(), ImportSettings(), answers or {})


def labels(found):
    return {item.label for item in found.items}


def text(content, asked=""):
    return encoding_of_text(lambda: io.BytesIO(content), "labels.csv", asked)


@pytest.mark.parametrize("encoding", TREES)
def test_a_table_is_read_in_its_encoding(tmp_path, encoding):
    found = listed(tmp_path / "set", table(TREES[encoding]).encode(encoding))
    assert labels(found) == set(TREES[encoding])
    said = " ".join(found.notes)
    if encoding.startswith("utf"):
        assert found.encodings == {}
        assert "UTF" not in said
    else:
        assert found.encodings == {"encoding": check_encoding(encoding)}
        assert f"labels.csv: not in UTF-8; read as {check_encoding(encoding)} (" in said
        assert repr(TREES[encoding][0]) in said


def test_an_encoding_that_is_not_certain_is_a_question_and_can_be_changed(tmp_path):
    content = table(("ąžuolas", "eglė", "beržas")).encode("cp1257")
    (question,) = listed(tmp_path / "guessed", content).questions
    assert (question.key, question.chosen, question.decided) == ("encoding", "cp1257", False)
    other = next(one for one in question.interpretations if one.key == "cp1252")
    assert (other.key, other.labeled_images, as_option(other)) == ("cp1252", 24, "--encoding cp1252")
    assert "àþuolas" in other.title
    changed = listed(tmp_path / "asked", content, answers=other.changes["answers"])
    assert labels(changed) == {"àþuolas", "eglë", "berþas"}
    assert (changed.questions[0].chosen, changed.questions[0].decided) == ("cp1252", True)
    assert changed.encodings == {"encoding": "cp1252"}


def test_what_reads_alike_is_no_question():
    assert len(text(table(("Rotkehlchen", "Grünfink", "Mäusebussard", "Kohlmeise")).encode("cp1252")).words) == 1


@pytest.mark.parametrize(
    ("content", "asked", "message"),
    [
        (
            table(("дуб", "猫")).encode().replace("дуб".encode(), b"\xd0\xb4\xd1", 1),
            "",
            "UTF-8, but some bytes of line 2",
        ),
        (table(("дуб", "猫")).encode("utf-16")[:-3], "", "begins as utf-16, but does not go on so"),
        (bytes(range(256)) * 3, "", "none of the known encodings"),
        (table(("дуб", "ель")).encode("cp1251"), "utf-8", r"labels.csv is not in utf-8 \(Unicode\): choose another"),
        (table(("café",)).encode("cp1252"), "cp932", r"labels.csv is not in cp932 \(Japanese, Shift-JIS\)"),
    ],
)
def test_bytes_that_are_no_text_are_refused(content, asked, message):
    with pytest.raises(InvalidInputError, match=message):
        text(content, asked)


def test_encodings_go_by_their_usual_names():
    names = {"Shift-JIS": "cp932", "GB2312": "gb18030", "windows-1251": "cp1251", "latin-1": "cp1252", "UTF8": "utf-8"}
    assert {name: check_encoding(name) for name in names} == names
    assert [check_encoding(name) for name in ENCODINGS] == list(ENCODINGS)
    for name in ("rot13", "klingon", "zip", "a\0b"):
        with pytest.raises(UnknownNameError, match="no encoding named"):
            check_encoding(name)


def test_letters_that_were_lost_before_are_refused(tmp_path):
    with pytest.raises(
        InvalidInputError, match=r"'д\ufffdб', which belongs to images/00.jpg, .* letters that were lost"
    ):
        listed(tmp_path / "set", table(("д\ufffdб", "ель")).encode())


def zip_of_raw_names(path, names):
    """A ZIP whose names are these bytes, not marked as UTF-8, as packers of Windows write them."""
    stand_ins = [chr(ord("a") + number) * len(name) for number, name in enumerate(names)]
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(stand_ins):
            archive.writestr(name, bytes([255, 216, 255, number]))
    content = path.read_bytes()
    for stand_in, name in zip(stand_ins, names, strict=True):
        content = content.replace(stand_in.encode(), name)  # in its header and in the directory
    path.write_bytes(content)
    return path


def tar_of_raw_names(path, names):
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in names:
            member = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
            member.size = 3
            archive.addfile(member, io.BytesIO(b"\xff\xd8\xff"))
    return path


def folder_of_raw_names(path, names):
    for name in names:
        file = os.path.join(os.fsencode(path), name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as out:
            out.write(b"\xff\xd8\xff")
    return path


@pytest.mark.parametrize("make", [zip_of_raw_names, tar_of_raw_names, folder_of_raw_names])
@pytest.mark.parametrize(
    ("encoding", "classes"),
    [
        ("cp932", ("犬", "猫", "表")),  # the last one ends in a byte that is a back-slash in ASCII
        ("gb18030", ("玫瑰", "雏菊", "向日葵")),
        ("cp866", ("собака", "кошка")),
        ("cp850", ("Löwenzahn", "Gänseblümchen")),
        ("utf-8", ("Löwenzahn", "кошка", "猫")),
    ],
)
def test_names_are_read_in_their_encoding(tmp_path, make, encoding, classes):
    names = [f"{label}/{i}.jpg".encode(encoding) for label in classes for i in range(3)]
    found = find(make(tmp_path / "set", names))
    assert labels(found) == set(classes)
    assert all(found.read(item)[:3] == b"\xff\xd8\xff" for item in found.items)
    said = [note for note in found.notes if "not in UTF-8" in note]
    assert len(said) == (encoding != "utf-8")


def test_the_encoding_of_names_can_be_changed(tmp_path):
    path = zip_of_raw_names(tmp_path / "a.zip", [f"{label}/1.jpg".encode("cp866") for label in ("собака", "кошка")])
    assert labels(find(path, {"names-encoding": "cp852"})) == {
        "собака".encode("cp866").decode("cp852"),
        "кошка".encode("cp866").decode("cp852"),
    }
    with pytest.raises(InvalidInputError, match=r"names in a.zip are not in utf-8 \(Unicode\)"):
        find(path, {"names-encoding": "utf-8"})


def test_a_name_in_the_extra_field_of_a_zip_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for label, plain in (("кот", "kot"), ("пёс", "pes")):
            info = zipfile.ZipInfo(f"{plain}/1.jpg")
            name = f"{label}/1.jpg".encode()
            info.extra = struct.pack("<HHBL", 0x7075, len(name) + 5, 1, zlib.crc32(info.filename.encode())) + name
            archive.writestr(info, b"\xff\xd8\xff")
    assert labels(find(tmp_path / "a.zip")) == {"кот", "пёс"}


@pytest.mark.parametrize("packed", [True, False])
def test_names_of_one_look_are_one_name(tmp_path, packed):
    """macOS takes letters and their marks apart (NFD); tables have them whole (NFC), or the other way around."""
    apart = [unicodedata.normalize("NFD", f"Käfer/Köcher {i}.jpg") for i in range(3)]
    rows = ["file,label", *(f"{unicodedata.normalize('NFC', name)},käfer" for name in apart), "y.jpg,Floh"]
    files = {**dict.fromkeys([*apart, "y.jpg"], b"\xff\xd8\xff"), "labels.csv": "\n".join(rows)}
    found = find(made.zipped(tmp_path / "a.zip", files) if packed else made.put(tmp_path / "a", files))
    assert [item.label for item in found.items] == ["käfer"] * 3 + ["Floh"]
    assert all(unicodedata.is_normalized("NFC", item.name) for item in found.items)
    assert all(found.read(item) == b"\xff\xd8\xff" for item in found.items)


def test_columns_and_stems_match_in_either_form(tmp_path):
    rows = ["größe,käfer", *(f"Köcher{i},{'ab'[i % 2]}" for i in range(6))]
    content = unicodedata.normalize("NFD", "\n".join(rows))
    files = {f"Köcher{i}.jpg": b"\xff\xd8\xff" for i in range(6)}
    path = made.put(tmp_path / "a", {**files, "labels.csv": content})
    found = inventory_of(path, None, True, Columns(label="käfer"), ImportSettings(), {})
    assert (found.columns.path, labels(found)) == ("größe", {"a", "b"})


def test_two_files_of_a_folder_never_get_one_name(tmp_path):
    names = [unicodedata.normalize(form, f"{label}/ä.jpg") for form in ("NFC", "NFD") for label in ("cat", "dog")]
    found = find(made.put(tmp_path / "a", {name: f"\xff{name}".encode() for name in names}))
    assert {found.read(item).decode()[1:] for item in found.items} == set(names)


def test_names_that_are_unicode_are_no_question():
    assert decoded_names(["犬/1.jpg".encode()], "a.zip")[1].words == {}
