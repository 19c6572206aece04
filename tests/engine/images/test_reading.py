"""How more than 8 bits become 8, on real files, against values worked out by hand."""

import io
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from engine import cli
from engine.errors import InvalidInputError
from engine.images import Reading, reading_from, reading_in_words
from engine.images.converting import convert
from engine.images.reading import WHOLE_RANGE, WITHOUT_EXTREMES
from engine.intake import ImportRequest, preview, read_in_ways
from tests.engine.intake import made_sources as made

# 0, 10, ..., 1990 and one hot pixel: of 201 values, half a percent from each end are the second and the last but one.
HOT = np.append(np.arange(200) * 10, 65_535).astype(np.uint16).reshape(3, 67)
THOUSAND = 100  # the flat place of the value 1000 in it


def tiff(array, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def png(array):
    return made.encoded(Image.fromarray(array))


def read(content, **reading):
    found = convert(content, "x", Reading(**reading), 1_000_000)
    return np.asarray(found.image), found


@pytest.mark.parametrize("encoded", [png, tiff], ids=["PNG", "TIFF"])
def test_a_hot_pixel_darkens_an_image_unless_percentiles_leave_it_out(encoded):
    whole = read(encoded(HOT))[0][..., 0].ravel()
    assert [whole[0], whole[THOUSAND], whole[-1]] == [0, 4, 255]  # 1000 / 65535 of 255 is 3.9
    pixels, found = read(encoded(HOT), percentiles=WITHOUT_EXTREMES)
    inner = pixels[..., 0].ravel()
    # 10 becomes black and 1990 white: (1000 - 10) / 1980 of 255 is 127.5, and a half rounds to the even number
    assert [inner[0], inner[1], inner[THOUSAND], inner[199], inner[-1]] == [0, 0, 128, 255, 255]
    assert any("percentiles 0.5 and 99.5\u00a0% became 0 and 255" in step for step in found.steps)


@pytest.mark.parametrize("encoded", [png, tiff], ids=["PNG", "TIFF"])
def test_one_range_for_all_keeps_brightness_comparable(encoded):
    dim, bright = (np.full((4, 4), value, dtype=np.uint16) for value in (500, 1500))
    dim[0, 0] = bright[0, 0] = 0
    own = [read(encoded(image))[0][1, 1, 0] for image in (dim, bright)]
    fixed = [read(encoded(image), value_range=(0, 2000))[0][1, 1, 0] for image in (dim, bright)]
    assert own == [255, 255]
    assert fixed == [64, 191]  # a quarter and three quarters of 255


def test_little_on_an_even_ground_does_not_vanish_with_percentiles():
    plankton = np.full((100, 100), 300, dtype=np.uint16)
    plankton[50, 50:60] = 900  # a thousandth of it
    pixels, found = read(tiff(plankton), percentiles=WITHOUT_EXTREMES)
    assert (pixels[0, 0, 0], pixels[50, 55, 0]) == (0, 255)
    assert any("are the same value" in step for step in found.steps)


def test_colors_of_16_bits_share_one_range_and_other_channels_do_not():
    colors = np.zeros((2, 2, 3), dtype=np.uint16)
    colors[..., 1], colors[..., 2] = 1000, 2000
    assert read(tiff(colors, photometric="rgb"))[0][0, 0].tolist() == [0, 128, 255]
    bands = np.zeros((2, 2, 5), dtype=np.uint16)
    bands[0, 0] = (10, 20, 30, 40, 50)
    content = tiff(bands, photometric="minisblack", planarconfig="contig")
    assert read(content)[0][0, 0].tolist() == [255, 255, 255]
    assert read(content, channels=(5, 1, 1), value_range=(0, 50))[0][0, 0].tolist() == [255, 51, 51]


def test_a_tiff_whose_zero_is_white_is_turned():
    values = np.array([[0, 1000]], dtype=np.uint16)
    pixels, found = read(tiff(values, photometric="miniswhite"))
    assert pixels[0, :, 0].tolist() == [255, 0]
    assert "MinIsWhite turned: its lowest value is white" in found.steps


def test_8_bits_stay_as_they_are_whatever_is_chosen():
    gray = np.array([[10, 100], [150, 200]], dtype=np.uint8)
    for content in (png(gray), tiff(gray)):
        for reading in ({"value_range": (0, 1000)}, {"percentiles": WITHOUT_EXTREMES}):
            pixels, found = read(content, **reading)
            assert pixels[..., 0].tolist() == gray.tolist()
            assert found.values is None


CT = np.array([[-2000, -1000], [40, 1000]], dtype=np.int16)  # around, air, soft tissue, bone
TISSUE = {"WindowCenter": 40, "WindowWidth": 400}


def test_dicom_by_its_window_a_chosen_one_its_whole_range_or_percentiles():
    content = made.dicom(0, values=CT, PixelPaddingValue=-2000, **TISSUE)
    gray = {name: read(content, **reading)[0][..., 0].ravel().tolist() for name, reading in {
        "own window": {},
        "bone": {"window": (400, 1800)},
        "whole": {"percentiles": WHOLE_RANGE},
        "fixed": {"value_range": (-1000, 3000)},
    }.items()}  # fmt: skip
    assert gray == {
        "own window": [0, 0, 128, 255],  # ((40 - 39.5) / 399 + .5) * 255 = 127.8
        "bone": [0, 0, 77, 213],  # ((40 - 399.5) / 1799 + .5) * 255 = 76.5, ((1000 - 399.5) / 1799 + .5) * 255 = 212.6
        "whole": [0, 0, 133, 255],  # 1040 / 2000 of 255 is 132.6; what lies around the picture does not count
        "fixed": [0, 0, 66, 128],  # 1040 / 4000 of 255 is 66.3, 2000 / 4000 of it 127.5
    }
    steps = read(content, window=(400, 1800))[1].steps
    assert "the chosen window, center 400 and width 1800" in steps


def test_dicom_without_a_window_says_so_only_when_nothing_was_chosen():
    content = made.dicom(0, values=CT)
    assert "no window: each image's own range became 0 to 255" in read(content)[1].steps
    assert "each image's own range became 0 to 255" in read(content, percentiles=WHOLE_RANGE)[1].steps


def test_what_there_is_to_choose_by_is_told():
    found = read(tiff(HOT))[1].values
    assert (found.kind, found.low, found.high, found.inner) == ("16-bit", 0, 65_535, (10, 1990))
    found = read(made.dicom(0, values=CT, PixelPaddingValue=-2000, **TISSUE))[1].values
    assert (found.kind, found.low, found.high, found.window) == ("DICOM", -1000, 1000, (40, 400))
    assert read(tiff(np.full((2, 2), np.nan, dtype=np.float32)))[1].values is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"percentiles": (99, 1)},
        {"percentiles": (-1, 50)},
        {"percentiles": (0, 101)},
        {"percentiles": (0, float("nan"))},
        {"percentiles": (1, 99), "value_range": (0, 1)},
    ],
)
def test_percentiles_that_are_none_are_refused(wrong):
    with pytest.raises(InvalidInputError):
        Reading(**wrong)


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ({}, ""),
        ({"channels": (4, 3, 2)}, "Channels 4, 3, 2 are red, green, blue."),
        (
            {"channels": (2,), "window": (40, 400)},
            "Channel 2 is shown as gray; DICOM is seen through one window, center 40 and width 400.",
        ),
        ({"value_range": (0, 4095)}, "0 is black and 4095 white in all images."),
        ({"percentiles": (0.5, 99.5)}, "Of each image the percentiles 0.5 and 99.5 are black and white."),
        ({"percentiles": (0, 100)}, "The lowest value of each image is black, the highest white."),
    ],
)
def test_a_choice_in_words(reading, words):
    assert reading_in_words(Reading(**reading)) == words


def folder_of_16_bits(folder):
    """Two classes of which the second is three times as bright, but of the same shape."""
    files = {}
    for name, factor in (("dim", 1), ("bright", 3)):
        for i in range(6):
            values = np.random.default_rng(i).integers(0, 1000, (24, 24)).astype(np.uint16) * factor
            values[0, 0], values[0, 1] = 0, 1000 * factor
            files[f"{name}/{i}.tif"] = tiff(values)
    return made.put(folder, files)


def test_an_import_reads_by_the_choice_and_remembers_it(bring, tmp_path):
    task = bring(folder_of_16_bits(tmp_path / "cells"), reading=Reading(value_range=(0, 4000)))
    assert reading_from(task.record.reading) == Reading(value_range=(0, 4000))
    by_class = {name: [] for name in task.classes}
    for row, label in enumerate(task.read_labels(task.record.given_labels, task.record.given_classes)):
        by_class[task.classes[label]].append(int(np.asarray(next(task.images.decoded([row]))).max()))
    assert by_class == {"bright": [191] * 6, "dim": [64] * 6}  # 3000 and 1000 of 4000


def test_a_choice_between_ways_is_shown_on_images_of_the_source(home, tmp_path):
    wanted = ImportRequest(str(folder_of_16_bits(tmp_path / "cells")), "cells")
    home.path.mkdir()
    (home.path / "settings.json").write_text(json.dumps({"import": {"roots": [str(tmp_path)]}}))
    seen = preview(home, wanted)
    assert seen.reading == Reading()
    assert {sample.values.high for sample in seen.samples} == {1000, 3000}
    assert all(sample.converted for sample in seen.samples)
    names = [seen.samples[0].name, seen.samples[-1].name, "not there"]
    own, fixed = read_in_ways(home, wanted, names, [Reading(), Reading(value_range=(0, 4000))])
    assert [sample.name for sample in own] == [sample.name for sample in fixed] == names[:2]
    assert [np.asarray(sample.image).max() for sample in own] == [255, 255]
    assert sorted(np.asarray(sample.image).max() for sample in fixed) == [64, 191]


def test_the_command_line_has_the_same_choices(home, tmp_path, capsys):
    folder = folder_of_16_bits(tmp_path / "cells")
    for name, options, reading in (
        ("a", ["--range", "0,4000"], {"value_range": [0, 4000]}),
        ("b", ["--percentiles", "1,99"], {"percentiles": [1, 99]}),
        ("c", ["--window=-600,1500"], {"window": [-600, 1500]}),
    ):
        assert cli.main(["import", str(folder), "--name", name, "--json", *options]) == 0
        found = json.loads(capsys.readouterr().out)["reading"]
        assert {key: value for key, value in found.items() if value} == reading
    assert cli.main(["import", str(folder), "--name", "d", "--percentiles", "5"]) != 0
    assert "--percentiles '5': write two numbers" in capsys.readouterr().err


def test_the_command_line_copies_or_reads_in_place(home, tmp_path, capsys):
    folder = made.put(tmp_path / "pets", made.classes_of(6))
    assert cli.main(["import", str(folder), "--name", "a", "--in-place"]) == 1
    assert "only from a folder in an allow-listed root" in capsys.readouterr().err
    (home.path / "settings.json").write_text(json.dumps({"import": {"roots": [str(tmp_path)]}}))
    for name, options, in_place in (("b", [], True), ("c", ["--in-place"], True), ("d", ["--copy"], False)):
        assert cli.main(["import", str(folder), "--name", name, "--json", *options]) == 0
        assert json.loads(capsys.readouterr().out)["read_in_place"] is in_place
    with pytest.raises(SystemExit):
        cli.main(["import", str(folder), "--copy", "--in-place"])
