import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from engine.errors import DamagedFileError, InvalidInputError
from engine.images.converting import convert
from engine.images.reading import Reading, reading_as_json, reading_from, to_8_bits
from tests.engine.intake.made_sources import dicom, encoded, picture


def rgb(content, **reading):
    found = convert(content, "x", Reading(**reading), 1_000_000)
    return np.asarray(found.image), found.steps


def tiff(array, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "GIF", "PPM"])
def test_formats_without_loss_come_out_as_they_went_in(form):
    image = picture(1).quantize(64).convert("RGB") if form == "GIF" else picture(1)
    assert rgb(encoded(image, form))[0].tolist() == np.asarray(image).tolist()


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_formats_with_loss_come_out_nearly_so(form):
    difference = rgb(encoded(picture(1, (64, 64)), form, quality=95))[0].astype(int) - np.asarray(picture(1, (64, 64)))
    assert np.abs(difference).mean() < 4


def test_ordinary_files_are_stored_as_they_are_and_others_as_png():
    kept = {form: convert(encoded(picture(1), form), "x", Reading(), 10**6).keep for form in ("JPEG", "PNG", "TIFF")}
    assert kept == {"JPEG": True, "PNG": True, "TIFF": False}


@pytest.mark.parametrize(
    ("mode", "step"),
    [
        ("L", "gray: three equal channels"),
        ("1", "black and white: three equal channels"),
        ("P", "palette: each index became its color"),
        ("RGBA", "transparency over white"),
        ("LA", "transparency over white"),
    ],
)
def test_modes_of_png_are_told(mode, step):
    assert rgb(encoded(picture(1).convert(mode)))[1] == (step,)


def test_cmyk_is_converted():
    pixels, steps = rgb(encoded(Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "TIFF"))
    assert pixels[0, 0].tolist() == [255, 0, 0]  # magenta and yellow make red
    assert any("CMYK" in step for step in steps)


def test_a_palette_with_a_transparent_index_becomes_white_there():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    assert rgb(encoded(image, transparency=1))[0].tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (3, 3), color) for color in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    pixels, steps = rgb(content)
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert "first of several frames or pages" in steps


def test_exif_rotation_is_told():
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels, steps = rgb(encoded(picture(1, (8, 4)), "JPEG", exif=exif))
    assert pixels.shape == (8, 4, 3)
    assert steps == ("turned upright by its EXIF rotation",)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled_by_its_own_range_or_by_a_given_one(form):
    values = np.array([[1000, 2000], [3000, 5000]], dtype=np.uint16)
    content = tiff(values) if form == "TIFF" else encoded(Image.fromarray(values))
    assert rgb(content)[0][:, :, 0].tolist() == [[0, 64], [128, 255]]  # (v - 1000) / 4000 of 255
    pixels, steps = rgb(content, value_range=(0, 10_000))
    assert pixels[:, :, 2].tolist() == [[26, 51], [76, 128]]  # v / 10000 of 255; halves round to even
    assert any("0 to 10000 became 0 to 255" in step for step in steps)


def test_float_gray_with_no_numbers_in_it():
    values = np.array([[0.0, 0.5], [1.0, np.nan]], dtype=np.float32)
    assert rgb(tiff(values))[0][:, :, 1].tolist() == [[0, 128], [255, 0]]


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_channels_of_a_tiff_are_chosen(planar):
    bands = np.zeros((4, 4, 5), dtype=np.uint8)
    bands[:, :, 4] = 200
    bands[:, :, 1] = 100
    array = bands if planar == "contig" else bands.transpose(2, 0, 1).copy()
    content = tiff(array, photometric="minisblack", planarconfig=planar)
    assert rgb(content)[0][0, 0].tolist() == [0, 100, 0]  # the first three
    pixels, steps = rgb(content, channels=(5, 2, 1))
    assert pixels[0, 0].tolist() == [200, 100, 0]
    assert "5 channels: 5, 2, 1 as red, green, blue" in steps
    assert rgb(content, channels=(5,))[0][0, 0].tolist() == [200, 200, 200]
    with pytest.raises(InvalidInputError, match="no channel 6"):
        rgb(content, channels=(6,))


@pytest.mark.parametrize("compression", ["zlib", "tiff_lzw", "packbits"])
def test_compressed_tiffs(compression):
    stream = io.BytesIO()
    name = {"zlib": "tiff_adobe_deflate"}.get(compression, compression)
    picture(2).save(stream, "TIFF", compression=name)
    assert rgb(stream.getvalue())[0].tolist() == np.asarray(picture(2)).tolist()


def test_dicom_through_its_own_window():
    values = np.array([[0, 1024], [1174, 2000]], dtype=np.uint16)
    content = dicom(0, values=values, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=75, WindowWidth=300)
    # PS3.3 C.11.2.1.2.1 for -1024, 0, 150, 976: ((x - 74.5) / 299 + .5) * 255, cut to 0..255
    pixels, steps = rgb(content)
    assert pixels[:, :, 0].tolist() == [[0, 64], [192, 255]]
    assert "the file's own window" in steps
    assert "rescaled by its slope and intercept" in steps


def test_a_chosen_window_comes_before_the_files_own():
    values = np.array([[0, 100]], dtype=np.int16)
    content = dicom(0, values=values, WindowCenter=1000, WindowWidth=2)
    assert rgb(content, window=(50, 101))[0][0, :, 0].tolist() == [1, 255]  # ((0 - 49.5) / 100 + .5) * 255 = 1.3


def test_monochrome1_is_turned():
    values = np.array([[0, 100]], dtype=np.uint16)
    assert rgb(dicom(0, values=values))[0][0, :, 0].tolist() == [0, 255]
    assert rgb(dicom(0, values=values, photometric="MONOCHROME1"))[0][0, :, 0].tolist() == [255, 0]


def test_dicom_in_color_and_in_frames():
    values = np.zeros((2, 3, 3), dtype=np.uint8)
    values[..., 0] = 255
    color = dicom(
        0, values=values[:, :, 0].astype(np.uint16), SamplesPerPixel=3, PhotometricInterpretation="RGB", Rows=2,
        Columns=3, BitsAllocated=8, BitsStored=8, HighBit=7, PlanarConfiguration=0, PixelData=values.tobytes(),
    )  # fmt: skip
    assert rgb(color)[0][1, 2].tolist() == [255, 0, 0]
    frames = np.stack([np.eye(4), np.ones((4, 4))]).astype(np.uint16)
    pixels, steps = rgb(dicom(0, values=frames, NumberOfFrames=2))
    assert pixels[:, :, 0].tolist() == (np.eye(4) * 255).tolist()
    assert steps[0] == "DICOM: first of 2 frames"


def test_dicom_without_an_image_or_of_a_rare_compression_is_a_sentence():
    with pytest.raises(DamagedFileError, match="without an image"):
        rgb(dicom(0).replace(b"\xe0\x7f\x10\x00OW", b"\xe1\x7f\x10\x00OW"))


def test_a_picture_that_hands_over_to_other_programs_is_not_opened():
    with pytest.raises(DamagedFileError, match="none of JPEG, PNG"):
        rgb(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nquit\n")


def test_too_many_pixels_are_refused_before_they_are_decoded():
    for content in (
        encoded(Image.new("1", (2000, 1000))),
        tiff(np.zeros((2000, 1000), np.uint16)),
        dicom(0, shape=(2000, 1000)),
    ):
        with pytest.raises(InvalidInputError, match="more than the 1 million allowed"):
            rgb(content)


def test_scaling_of_extremes():
    huge = np.array([[-1.7e308, 0, 1.7e308]])
    assert to_8_bits(huge, None).tolist() == [[0, 128, 255]]
    assert to_8_bits(np.full((2, 2), 7), None).tolist() == [[0, 0], [0, 0]]
    assert to_8_bits(np.full((2, 2), np.nan), None).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    "wrong", [{"channels": (0,)}, {"channels": (1, 2)}, {"value_range": (5, 5)}, {"window": (0, 0)}]
)
def test_a_reading_that_reads_nothing_is_refused(wrong):
    with pytest.raises(InvalidInputError):
        Reading(**wrong)


def test_a_reading_survives_json():
    reading = Reading(channels=(4, 3, 2), value_range=(0.0, 2750.0), window=(40.0, 400.0))
    assert reading_from(reading_as_json(reading)) == reading
    with pytest.raises(InvalidInputError):
        reading_from({"value_range": [1]})


@pytest.mark.parametrize("syntax", ["DeflatedExplicitVRLittleEndian", "RLELossless", "JPEGBaseline8Bit"])
def test_compressed_dicom(syntax):
    import pydicom
    from pydicom import uid
    from pydicom.encaps import encapsulate

    dataset = pydicom.dcmread(io.BytesIO(dicom(3)))
    expected = rgb(dicom(3))[0]
    if syntax == "RLELossless":
        dataset.compress(uid.RLELossless)
    elif syntax == "JPEGBaseline8Bit":
        gray = Image.fromarray(expected[:, :, 0])
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
        dataset.PixelData = encapsulate([encoded(gray, "JPEG", quality=100)])
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    difference = rgb(stream.getvalue())[0].astype(int) - expected
    assert np.abs(difference).max() <= (3 if syntax.startswith("JPEG") else 0)


@pytest.mark.parametrize(
    ("syntax", "words"),
    [("JPEGLosslessSV1", "its JPEG Lossless.* data are damaged"), ("MPEG2MPML", "compressed as MPEG2")],
)
def test_dicom_compressed_in_a_way_that_is_not_read_is_a_sentence(syntax, words):
    import pydicom
    from pydicom import uid
    from pydicom.encaps import encapsulate

    dataset = pydicom.dcmread(io.BytesIO(dicom(3)))
    dataset.file_meta.TransferSyntaxUID = getattr(uid, syntax)
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xc3" + b"\0" * 60])
    dataset["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    with pytest.raises(DamagedFileError, match=words):
        rgb(stream.getvalue())
