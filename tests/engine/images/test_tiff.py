"""What a file says about its numbers of more than 8 bits is heeded, against values worked out by hand."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from engine.errors import DamagedFileError
from engine.images.converting import convert, decode
from engine.images.reading import Reading
from tests.engine.intake.made_sources import encoded, picture

RAMP = np.arange(36, dtype=np.uint16).reshape(3, 4, 3) * 100  # 0 to 3500: 12 bits, dark if the upper 8 are taken
SHADES = np.rint(RAMP / 3500 * 255).astype(np.uint8)  # its own range, all colors together
TURNED = "turned upright by its EXIF rotation"


def tiff(array, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def read(content, **reading):
    found = convert(content, "x.tif", Reading(**reading), 1_000_000)
    return np.asarray(found.image), found


def with_tag(content, code, value):
    """The same file with another value of a tag, whatever that does to it."""
    stream = io.BytesIO(content)
    with tifffile.TiffFile(stream, mode="r+") as file:
        file.pages.first.tags[code].overwrite(value)
        return stream.getvalue()


def png(array, **chunks):
    """A PNG of the array's bits, with further chunks before those of the pixels."""
    content = imagecodecs.png_encode(np.ascontiguousarray(array))
    place = content.index(b"IDAT") - 4
    further = b""
    for name, data in chunks.items():
        body = name.encode() + data
        further += struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    return content[:place] + further + content[place:]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lzw"},
        {"compression": "lzw", "predictor": True},
        {"compression": "zstd"},
        {"compression": "zstd", "predictor": True},
        {"compression": "deflate", "predictor": True},
        {"compression": "lzma"},
        {"compression": "packbits"},
        {"compression": "jpeg2000", "compressionargs": {"level": 0}},
        {"compression": "jpegxr", "compressionargs": {"level": 1.0}},
        {"compression": "png"},
        {"planarconfig": "separate", "compression": "lzw"},
        {"tile": (16, 16), "compression": "lzw"},
        {"byteorder": ">", "compression": "lzw", "predictor": True},
    ],
    ids=str,
)
def test_16_bits_keep_their_range_however_they_are_compressed(options):
    array = np.moveaxis(RAMP, -1, 0).copy() if options.get("planarconfig") else RAMP
    pixels, found = read(tiff(array, photometric="rgb", **options))
    assert pixels.tolist() == SHADES.tolist()
    assert found.steps[0] == "16-bit values: each image's own range became 0 to 255"


@pytest.mark.parametrize("compression", ["zlib", "lzw"])
def test_float_with_a_predictor(compression):
    values = RAMP[..., 0].astype(np.float32) / 7
    expected = np.rint(RAMP[..., 0] / RAMP[..., 0].max() * 255)
    assert read(tiff(values, compression=compression, predictor=True))[0][..., 1].tolist() == expected.tolist()


@pytest.mark.parametrize("compression", ["jpeg2000", "jpegxr", "webp", "png", "zstd", "lerc"])
def test_8_bits_in_compressions_that_only_some_programs_write(compression):
    level = {"jpeg2000": 0, "jpegxr": 1.0, "webp": 100}.get(compression)
    options = {} if level is None else {"compressionargs": {"level": level, "lossless": True}}
    if compression in ("jpeg2000", "jpegxr"):
        del options["compressionargs"]["lossless"]
    expected = np.asarray(picture(1, (32, 32)))
    assert read(tiff(expected, photometric="rgb", compression=compression, **options))[0].tolist() == expected.tolist()


def test_four_bands_of_8_bits_with_lzw():
    bands = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    content = tiff(bands, photometric="minisblack", planarconfig="contig", compression="lzw")
    pixels, found = read(content)
    assert pixels.tolist() == bands[..., :3].tolist()
    assert "4 channels: 1, 2, 3 as red, green, blue" in found.steps
    assert read(content, channels=(4, 3, 2))[0].tolist() == bands[..., :0:-1].tolist()


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_the_lowest_value_is_white_above_8_bits_too(compression):
    gray = np.array([[0, 1000], [3000, 4000]], dtype=np.uint16)
    pixels, found = read(tiff(gray, photometric="miniswhite", compression=compression))
    assert pixels[..., 0].tolist() == [[255, 191], [64, 0]]  # 1000 / 4000 of 255 is 63.75, 3000 / 4000 191.25
    assert "MinIsWhite turned: its lowest value is white" in found.steps


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_over_white(kind, dtype):
    full = np.iinfo(dtype).max
    opaque = np.array([[0, full, 0], [full, 0, 0]], dtype=np.float64)  # green, red: black and white are in its range
    alpha = np.array([1.0, 0.0])
    colors = opaque * alpha[:, None] if kind == "assocalpha" else opaque
    array = np.rint(np.concatenate([colors, alpha[:, None] * full], axis=1)).astype(dtype)[None]
    pixels, found = read(tiff(array, photometric="rgb", extrasamples=[kind], compression="lzw"))
    assert pixels.tolist() == [[[0, 255, 0], [255, 255, 255]]]
    assert "transparency over white" in found.steps


def test_half_transparent_colors_and_what_is_transparent_has_no_range():
    half = np.array([[[1000, 0, 0, 65535], [1000, 0, 0, 32768], [60000, 60000, 60000, 0]]], dtype=np.uint16)
    plain = tiff(half, photometric="rgb", extrasamples=["unassalpha"])
    expected = [[[255, 0, 0], [255, 127, 127], [255, 255, 255]]]  # 255 × (1 - 128/255)
    assert read(plain)[0].tolist() == expected
    assert read(png(half))[0].tolist() == expected
    colors = np.rint(half[..., :3] * (half[..., 3:] / 65535)).astype(np.uint16)
    multiplied = np.concatenate([colors, half[..., 3:]], axis=-1)
    assert read(tiff(multiplied, photometric="rgb", extrasamples=["assocalpha"]))[0].tolist() == expected


def test_gray_with_transparency():
    array = np.array([[[0, 65535], [500, 65535], [1000, 65535], [9, 0]]], dtype=np.uint16)
    content = tiff(array, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    assert read(content)[0][..., 0].tolist() == [[0, 128, 255, 255]]  # half to even
    assert read(png(array))[0][..., 0].tolist() == [[0, 128, 255, 255]]


def test_extra_channels_that_are_no_transparency_stay_channels():
    array = np.dstack([RAMP, RAMP[..., 0] * 2])
    pixels, found = read(tiff(array, photometric="rgb", extrasamples=["unspecified"]))
    assert pixels.tolist() == SHADES.tolist()
    assert found.channels == 4
    marked = tiff(array, photometric="rgb", extrasamples=["unassalpha"])
    infrared = read(marked, channels=(4,))[0][..., 0]  # asked for, it is a channel whatever the file calls it
    assert infrared.tolist() == np.rint(RAMP[..., 0] / RAMP[..., 0].max() * 255).tolist()


INKS = np.asarray(picture(3, (8, 8)).convert("CMYK"), dtype=np.uint16)


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_inks_of_16_bits_are_converted_as_those_of_8(compression):
    expected, eight = read(tiff(INKS.astype(np.uint8), photometric="separated"))
    pixels, found = read(tiff(INKS * 257, photometric="separated", compression=compression))
    assert pixels.tolist() == expected.tolist()
    assert found.steps == eight.steps
    assert found.values is None  # inks are shares: there is no range to choose


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gives_its_colors(bits):
    colormap = np.zeros((3, 2**bits), dtype=np.uint16)
    colormap[:, 1:4] = np.array([[65535, 0, 0], [0, 30840, 0], [25700, 25700, 25700]]).T  # 120 × 257, 100 × 257
    indices = np.array([[1, 2], [3, 0]], dtype=np.uint8 if bits == 8 else np.uint16)
    pixels, found = read(tiff(indices, photometric="palette", colormap=colormap))
    assert pixels.tolist() == [[[255, 0, 0], [0, 120, 0]], [[100, 100, 100], [0, 0, 0]]]
    assert "palette: each index became its color" in found.steps


@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}], ids=str)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_stands_upright_with_8_bits_and_with_16(orientation, options):
    stored = np.asarray(picture(1, (6, 4)))
    image = Image.fromarray(stored)
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # Pillow's Transpose that undoes each (EXIF 2.3, 4.6.4)
    upright = np.asarray(image if orientation == 1 else image.transpose(Image.Transpose(turned[orientation])))
    tag = {"photometric": "rgb", "extratags": [(274, 3, 1, orientation, True)], **options}
    scaled = stored.astype(np.uint16) * 16
    shades = np.rint((upright * 16.0 - scaled.min()) / np.ptp(scaled) * 255)
    for content, expected in ((tiff(stored, **tag), upright), (tiff(scaled, **tag), shades)):
        pixels, found = read(content)
        assert pixels.tolist() == expected.tolist()
        assert (TURNED in found.steps) == (orientation > 1)


@pytest.mark.parametrize(
    ("dtype", "nothing", "written"),
    [
        (np.float32, -9999, "-9999"),
        (np.float32, -3.4028234663852886e38, "-3.4028234663852886e+38"),
        (np.float64, 1e20, "1e+20"),
        (np.int16, -32768, "-32768"),
        (np.uint16, 65535, "65535 "),
        (np.int8, -128, "-128"),
    ],
)
def test_no_data_leaves_the_range_and_is_black(dtype, nothing, written):
    values = np.array([[0, 50], [100, nothing]], dtype=dtype)
    pixels, found = read(tiff(values, extratags=[(42113, 2, 0, written, True)]))
    assert pixels[..., 0].tolist() == [[0, 128], [255, 0]]
    assert (found.values.low, found.values.high) == (0, 100)
    assert any(step.startswith("no data (") for step in found.steps)
    pixels, _ = read(tiff(values, extratags=[(42113, 2, 0, written, True)]), value_range=(-200, 200))
    assert pixels[..., 0].tolist() == [[128, 159], [191, 0]]  # 200, 250, 300 of 400


@pytest.mark.parametrize("written", ["nan", "none", "-9999"])
def test_no_data_that_is_not_there_changes_nothing(written):
    values = np.array([[0, 50], [100, 200]], dtype=np.uint16)
    content = tiff(values, extratags=[(42113, 2, 0, written, True)])
    assert read(content)[0].tolist() == read(tiff(values))[0].tolist()
    assert not any("no data" in step for step in read(content)[1].steps)


def test_nothing_but_no_data_is_black():
    values = np.full((2, 2), -9999, dtype=np.float32)
    pixels, found = read(tiff(values, extratags=[(42113, 2, 0, "-9999", True)]))
    assert pixels.max() == 0
    assert found.values is None


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_signed_8_bits_are_scaled_by_their_range(compression):
    values = np.array([[-100, -1], [0, 100]], dtype=np.int8)
    pixels, found = read(tiff(values, compression=compression))
    assert pixels[..., 0].tolist() == [[0, 126], [128, 255]]  # 99 / 200 of 255 is 126.2, 100 / 200 is 127.5
    assert found.values.kind == "signed 8-bit"


def test_few_bits_are_shades_from_black_to_white():
    packed = tiff(np.array([[0x05], [0xAF]], dtype=np.uint8))  # two values of 4 bits in a byte
    content = with_tag(with_tag(packed, "BitsPerSample", 4), "ImageWidth", 2)
    assert read(content, channels=(1,))[0][..., 0].tolist() == [[0, 85], [170, 255]]


STACK = np.moveaxis(np.asarray(picture(5, (8, 6))), -1, 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("axes", "options"),
    [
        ("CYX", {"ome": True}),
        ("ZCYX", {"ome": True}),
        ("CZYX", {"ome": True}),
        ("CYX", {"imagej": True}),
        ("ZCYX", {"imagej": True}),
        ("CYX", {"imagej": True, "truncate": True}),
        ("ZCYX", {"imagej": True, "truncate": True}),
    ],
    ids=str,
)
def test_pages_that_are_channels_make_one_image(axes, options, dtype):
    array = STACK.astype(dtype) * (1 if dtype == np.uint8 else 10)
    if "Z" in axes:
        array = np.stack([array, array // 2], axis=axes.index("Z"))
    expected = STACK
    if dtype == np.uint16:  # channels are scaled each on its own
        low, high = STACK.min(axis=(1, 2), keepdims=True), STACK.max(axis=(1, 2), keepdims=True)
        expected = np.rint((STACK - low.astype(float)) / (high - low.astype(float)) * 255)
    pixels, found = read(tiff(array, metadata={"axes": axes}, **options))
    assert pixels.tolist() == np.moveaxis(expected, 0, -1).tolist()
    assert found.channels == 3
    assert "pages or planes are its channels" in found.steps
    assert (
        read(tiff(array, metadata={"axes": axes}, **options), channels=(3,))[0][..., 0].tolist() == expected[2].tolist()
    )


def test_pages_that_are_no_channels_give_the_first():
    pixels, found = read(tiff(STACK, photometric="minisblack"))
    assert pixels[..., 0].tolist() == STACK[0].tolist()
    assert any("first of several" in step for step in found.steps)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    "array", [RAMP, RAMP[..., 0], np.dstack([RAMP, np.full((3, 4), 65535, np.uint16)])], ids=["RGB", "gray", "RGBA"]
)
def test_png_of_16_bits_is_read_as_the_same_tiff(array, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    marked = png(array, eXIf=exif.tobytes()[6:])
    options = {"extratags": [(274, 3, 1, orientation, True)]}
    if array.ndim == 3:
        options |= {"photometric": "rgb"} | ({"extrasamples": ["unassalpha"]} if array.shape[2] == 4 else {})
    for reading in ({}, {"value_range": (0, 7000)}, {"percentiles": (5, 95)}):
        pixels, found = read(marked, **reading)
        assert pixels.tolist() == read(tiff(array, **options), **reading)[0].tolist()
        assert not found.keep
        assert found.values.high == 3500 - (2 if array.ndim == 2 else 0) * 100
        assert (TURNED in found.steps) == (orientation > 1)


def test_a_transparent_color_of_a_16_bit_png_is_white():
    content = png(np.array([[0, 500, 1000]], dtype=np.uint16), tRNS=struct.pack(">H", 500))
    assert read(content)[0][..., 0].tolist() == [[0, 255, 255]]


def test_pnm_of_16_bits_is_scaled_like_any_other():
    header = b"P6\n# made by hand\n4 3\n65535\n"
    assert read(header + RAMP.astype(">u2").tobytes())[0].tolist() == SHADES.tolist()
    gray = RAMP[..., 0]
    pixels, found = read(b"P5 4 3 4095\n" + gray.astype(">u2").tobytes(), value_range=(0, 3300))
    assert pixels[..., 0].tolist() == np.rint(gray / 3300 * 255).tolist()  # in the file's own numbers
    assert (found.values.low, found.values.high) == (0, 3300)


def test_what_a_task_of_an_earlier_version_keeps_stays_as_it_was():
    assert np.asarray(decode(png(RAMP), "x")).tolist() == (RAMP >> 8).tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (with_tag(tiff(RAMP, photometric="rgb"), "PhotometricInterpretation", 8), "colors are CIELAB with 16 bits"),
        (with_tag(tiff(RAMP, photometric="rgb"), "Compression", 34676), "compressed in a way .*SGILOG"),
        (tiff(RAMP, photometric="rgb", compression="lzw")[:-20], "no readable image"),
    ],
    ids=["colors", "compression", "cut short"],
)
def test_what_is_not_read_is_a_sentence_without_names_of_packages(content, words):
    with pytest.raises(DamagedFileError, match=words) as caught:
        read(content)
    assert str(caught.value).startswith("x.tif ")
    assert not any(name in str(caught.value).lower() for name in ("imagecodecs", "tifffile", "pillow", "imcd"))


def test_8_bits_of_a_plain_tiff_are_as_pillow_reads_them():
    assert read(encoded(picture(1), "TIFF"))[0].tolist() == np.asarray(picture(1)).tolist()
