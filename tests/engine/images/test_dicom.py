"""What a DICOM file says about its values, where each kind of file says it, against PS3.3 worked out by hand."""

import io
import struct

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from engine.errors import DamagedFileError
from engine.images.converting import convert
from engine.images.pixels import is_dicom
from engine.images.reading import Reading
from tests.engine.intake.made_sources import dicom, picture

VALUES = np.array([[0, 25, 50, 75, 100, 200]], dtype=np.uint16)


def read(content, **reading):
    found = convert(content, "x.dcm", Reading(**reading), 1_000_000)
    return np.asarray(found.image)[0, :, 0].tolist(), found


def item(**elements):
    found = Dataset()
    for name, value in elements.items():
        setattr(found, name, value)
    return found


def window(center, width, **further):
    return {"WindowCenter": center, "WindowWidth": width, **further}


@pytest.mark.parametrize(
    ("elements", "shades"),
    [
        # ((x - 49.5) / 99 + .5) * 255
        (window(50, 100), [0, 64, 129, 193, 255, 255]),
        # ((x - 50) / 100 + .5) * 255
        (window(50, 100, VOILUTFunction="LINEAR_EXACT"), [0, 64, 128, 191, 255, 255]),
        # 255 / (1 + exp(-4 (x - 50) / 100))
        (window(50, 100, VOILUTFunction="SIGMOID"), [30, 69, 128, 186, 225, 254]),
        # a step at center - .5
        (window(50, 1), [0, 0, 255, 255, 255, 255]),
        (window([50, 20], [100, 5]), [0, 64, 129, 193, 255, 255]),
        # one that is none
        (window(50, 0), [0, 32, 64, 96, 128, 255]),
        (window(50, -3), [0, 32, 64, 96, 128, 255]),
        ({"WindowCenter": 50}, [0, 32, 64, 96, 128, 255]),
    ],
    ids=str,
)
def test_a_window_by_its_function(elements, shades):
    assert read(dicom(0, values=VALUES, **elements))[0] == shades


@pytest.mark.parametrize("function", [{}, {"VOILUTFunction": "LINEAR_EXACT"}], ids=str)
def test_a_window_narrower_than_1(function):
    content = dicom(0, values=VALUES, RescaleSlope=0.004, RescaleIntercept=0, **window(0.3, 0.4), **function)
    # x of 0, .1, .2, .3, .4, .8: ((x - .3) / .4 + .5) * 255
    shades, found = read(content)
    assert shades == [0, 0, 64, 128, 191, 255]
    assert "the file's own window (LINEAR_EXACT)" in found.steps
    assert found.values.window == (0.3, 0.4)
    assert read(content, window=(0.3, 0.4))[0] == [0, 0, 64, 128, 191, 255]


def test_a_chosen_window_counts_half_numbers_only_where_there_are_whole_ones():
    fractions = dicom(0, values=VALUES, RescaleSlope=0.01, RescaleIntercept=0)
    assert read(fractions, window=(1, 2))[0] == [0, 32, 64, 96, 128, 255]  # 0 to 2, not 0 to 1
    assert read(dicom(0, values=VALUES), window=(50, 100))[0] == [0, 64, 129, 193, 255, 255]


RESCALE = item(RescaleSlope=2, RescaleIntercept=-100, RescaleType="HU")
VIEW = item(**window(0, 200, VOILUTFunction="LINEAR_EXACT"))
OTHER = item(**window(50, 10, VOILUTFunction="LINEAR_EXACT"))
AS_CLASSIC = [0, 64, 128, 191, 255, 255]  # -100, -50, 0, 50, 100, 300 through -100 to 100


def groups(**sequences):
    return item(**{name: [value] for name, value in sequences.items()})


@pytest.mark.parametrize(
    "elements",
    [
        {"RescaleSlope": 2, "RescaleIntercept": -100, **window(0, 200, VOILUTFunction="LINEAR_EXACT")},
        {
            "SharedFunctionalGroupsSequence": [
                groups(PixelValueTransformationSequence=RESCALE, FrameVOILUTSequence=VIEW)
            ]
        },
        {
            "PerFrameFunctionalGroupsSequence": [
                groups(PixelValueTransformationSequence=RESCALE, FrameVOILUTSequence=VIEW),
                groups(PixelValueTransformationSequence=RESCALE, FrameVOILUTSequence=OTHER),
            ]
        },
        {
            "SharedFunctionalGroupsSequence": [groups(PixelValueTransformationSequence=RESCALE)],
            "PerFrameFunctionalGroupsSequence": [groups(FrameVOILUTSequence=VIEW), groups(FrameVOILUTSequence=OTHER)],
        },
        {
            **window(50, 10),
            "SharedFunctionalGroupsSequence": [
                groups(PixelValueTransformationSequence=RESCALE, FrameVOILUTSequence=OTHER)
            ],
            "PerFrameFunctionalGroupsSequence": [groups(FrameVOILUTSequence=VIEW)],
        },
    ],
    ids=["classic", "shared", "per frame", "both", "own over shared"],
)
@pytest.mark.parametrize("frames", [1, 2])
def test_functional_groups_say_what_a_classic_file_does(elements, frames):
    values = VALUES if frames == 1 else np.stack([VALUES, VALUES[:, ::-1]])
    shades, found = read(dicom(0, values=values, NumberOfFrames=frames, **elements))
    assert shades == AS_CLASSIC
    assert found.values.window == (0, 200)
    assert {"rescaled by its slope and intercept", "the file's own window (LINEAR_EXACT)"} <= set(found.steps)


def table(entries, first, bits):
    return item(LUTDescriptor=[len(entries), first, bits], LUTData=np.asarray(entries, dtype="<u2").tobytes())


@pytest.mark.parametrize(
    ("values", "lut", "shades"),
    [
        # 25 to 75 are in the table; below and above its ends hold
        (VALUES, table(np.arange(51) * 5, 25, 8), [0, 0, 125, 250, 250, 250]),
        (VALUES, table(1023 - np.arange(201) * 5, 0, 10), [255, 224, 193, 162, 130, 6]),
        (VALUES, table(np.arange(4096) * 16, 0, 16), [0, 2, 3, 5, 6, 12]),  # 400 / 65535 of 255 is 1.6
        (VALUES.astype(np.int16) - 100, table(np.arange(256), -100, 8), [0, 25, 50, 75, 100, 200]),
    ],
    ids=["8 bits", "10 bits, falling", "16 bits", "negative"],
)
def test_a_look_up_table_of_values_of_interest(values, lut, shades):
    found_shades, found = read(dicom(0, values=values, VOILUTSequence=[lut]))
    assert found_shades == shades
    assert "the file's own look-up table" in found.steps
    assert found.values.table


def test_a_look_up_table_comes_before_a_window_and_after_what_was_chosen():
    content = dicom(0, values=VALUES, VOILUTSequence=[table([0, 255], 60, 8)], **window(50, 100))
    assert read(content)[0] == [0, 0, 0, 255, 255, 255]
    assert read(content, window=(50, 100))[0] == [0, 64, 129, 193, 255, 255]
    assert read(content, value_range=(0, 200))[0] == [0, 32, 64, 96, 128, 255]


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_look_up_table_instead_of_a_slope(bits):
    lut = table(np.arange(201) + 55, 0, bits)
    content = dicom(0, values=VALUES, ModalityLUTSequence=[lut], **window(155, 200, VOILUTFunction="LINEAR_EXACT"))
    shades, found = read(content)
    assert shades == [0, 32, 64, 96, 128, 255]  # 55 to 255
    assert "rescaled by its look-up table" in found.steps


@pytest.mark.parametrize(
    "elements",
    [{}, window(50, 100, VOILUTFunction="LINEAR_EXACT"), window(50, 100, VOILUTFunction="SIGMOID")],
    ids=["own range", "linear", "sigmoid"],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_leaves_the_range(elements, photometric):
    shades, found = read(dicom(0, values=VALUES, photometric=photometric, PixelPaddingValue=200, **elements))
    assert shades[-1] == 0
    assert (found.values.low, found.values.high) == (0, 100)
    unpadded = read(dicom(0, values=VALUES[:, :-1].copy(), photometric=photometric, **elements))[0]
    assert shades[:-1] == unpadded


def without_header(content, syntax=uid.ExplicitVRLittleEndian, **elements):
    """The same data set alone, without preamble and meta header."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    for name, value in elements.items():
        setattr(dataset, name, value)
    implicit, little = syntax == uid.ImplicitVRLittleEndian, syntax != uid.ExplicitVRBigEndian
    if not little:
        dataset.PixelData = np.frombuffer(dataset.PixelData, dtype="<u2").astype(">u2").tobytes()
    plain = Dataset()
    plain.update(dataset)
    stream = io.BytesIO()
    plain.save_as(stream, implicit_vr=implicit, little_endian=little, enforce_file_format=False)
    return stream.getvalue()


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "ExplicitVRLittleEndian", "ExplicitVRBigEndian"])
def test_a_file_without_preamble_and_header(syntax):
    whole = dicom(0, values=VALUES, patient="P1", **window(50, 100))
    bare = without_header(whole, getattr(uid, syntax))
    assert is_dicom(bare[:132])
    shades, found = read(bare)
    assert shades == read(whole)[0]
    assert found.patient == "P1"
    assert "without its header: read as uncompressed" in found.steps


def test_a_file_without_preamble_that_has_its_header():
    whole = dicom(0, values=VALUES, **window(50, 100))
    shades, found = read(whole[132:])
    assert shades == read(whole)[0]
    assert "without its preamble" in found.steps


def test_without_a_header_nobody_knows_how_an_image_is_compressed():
    dataset = pydicom.dcmread(io.BytesIO(dicom(0, values=VALUES)))
    dataset.PixelData = encapsulate([b"\0" * 64])
    dataset["PixelData"].is_undefined_length = True
    plain, stream = Dataset(), io.BytesIO()
    plain.update(dataset)
    plain.save_as(stream, implicit_vr=False, little_endian=True, enforce_file_format=False)
    with pytest.raises(DamagedFileError, match=r"x\.dcm lacks the header of a DICOM file"):
        read(stream.getvalue())


@pytest.mark.parametrize(
    "content",
    [
        b"\x08\0\x05\0CS" + struct.pack("<H", 10) + b"ISO_IR 100",
        b"\x08\0\x05\0" + struct.pack("<I", 10) + b"ISO_IR 100",
        b"\x08\0" + bytes(range(256)) * 4,
        without_header(dicom(0)).replace(b"\xe0\x7f\x10\0OW", b"\xe1\x7f\x10\0OW"),
    ],
    ids=["explicit", "implicit", "anything", "no image"],
)
def test_what_only_begins_like_dicom_is_no_image(content):
    with pytest.raises(DamagedFileError, match=r"x\.dcm is no readable image"):
        read(content)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gives_its_colors_as_they_are(bits):
    entries = np.array([0, 20, 40, 60], dtype=np.uint8 if bits == 8 else np.uint16) * (1 if bits == 8 else 257)
    values = np.array([[0, 1, 2, 3]], dtype=np.uint16)
    names = [f"{color}PaletteColorLookupTable" for color in ("Red", "Green", "Blue")]
    elements = {f"{name}Descriptor": [4, 0, bits] for name in names} | {f"{n}Data": entries.tobytes() for n in names}
    content = dicom(0, values=values, PhotometricInterpretation="PALETTE COLOR", **elements)
    shades, found = read(content)
    assert shades == [0, 20, 40, 60]
    assert found.values is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_of_float_numbers(dtype):
    values = np.array([[0, 0.25, np.nan, 1, -5]], dtype=dtype)
    dataset = pydicom.dcmread(io.BytesIO(dicom(0, values=VALUES[:, :5].copy())))
    del dataset.PixelData, dataset.PixelRepresentation
    kind = "Float" if dtype == np.float32 else "DoubleFloat"
    dataset.BitsAllocated = values.itemsize * 8
    setattr(dataset, f"{kind}PixelData", values.tobytes())
    setattr(dataset, f"{kind}PixelPaddingValue", -5.0)
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    assert read(stream.getvalue())[0] == [0, 64, 0, 255, 0]


def compressed(values, syntax, encoded, bits):
    """A DICOM file of values that were encoded so."""
    dataset = pydicom.dcmread(io.BytesIO(dicom(0, values=values)))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * values.itemsize, bits, bits - 1
    dataset.PixelData = encapsulate([encoded])
    dataset["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


SLOPE = (np.arange(16 * 20).reshape(16, 20) * 12).astype(np.uint16)  # 0 to 3828: 12 bits


def lossless(values):
    return imagecodecs.ljpeg_encode(values, bitspersample=12)


def lossy(values):
    return imagecodecs.jpeg8_encode(values, level=100)  # 16 bits of the container are 12 of JPEG


@pytest.mark.parametrize(
    ("syntax", "encode", "lowest", "error"),
    [
        (uid.JPEGLossless, lossless, 0, 0),
        (uid.JPEGLossless, lossless, -2048, 0),
        (uid.JPEGLosslessSV1, lossless, 0, 0),
        (uid.JPEGLosslessSV1, lossless, -2048, 0),
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode, 0, 0),
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode, -2048, 0),
        (uid.JPEGExtended12Bit, lossy, 0, 1),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_compressions_of_more_than_8_bits(syntax, encode, lowest, error):
    values = SLOPE.astype(np.int16) + lowest if lowest else SLOPE
    found = convert(compressed(values, syntax, encode(values.astype(np.uint16) & 0xFFF), 12), "x", Reading(), 10**6)
    assert np.abs(np.asarray(found.image)[..., 0] - np.rint(SLOPE / 3828 * 255)).max() <= error
    assert found.values.low == pytest.approx(lowest, abs=16 * error)


def test_colors_without_loss():
    colors = np.asarray(picture(2, (20, 16)))
    content = compressed(colors[..., 0], uid.JPEGLSLossless, imagecodecs.jpegls_encode(colors), 8)
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    assert np.asarray(convert(stream.getvalue(), "x", Reading(), 10**6).image).tolist() == colors.tolist()
