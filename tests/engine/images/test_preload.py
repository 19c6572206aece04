"""A process that has given up the right to open files still decodes whatever comes."""

import base64
import io
import json
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from tests.engine.intake.made_sources import dicom, encoded, picture

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
import base64, json, sys
from engine.images.decoder import _look
from engine.images.preload import preload

preload()
asked = []
sys.addaudithook(lambda event, arguments: asked.append(str(arguments[0])) if event in ("open", "import") else None)
found = {}
for name, content in json.load(sys.stdin).items():
    asked.clear()
    try:
        _look({"name": name, "reading": {}, "largest": 10**6}, base64.b64decode(content))
        found[name] = {"asked": list(asked), "error": ""}
    except Exception as error:
        found[name] = {"asked": list(asked), "error": repr(error)}
print(json.dumps(found))
"""


def tiff(array, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


ENCODERS = {
    uid.JPEGBaseline8Bit: lambda gray: encoded(gray, "JPEG"),
    uid.JPEG2000Lossless: lambda gray: encoded(gray, "JPEG2000", no_jp2=True),
    uid.JPEGLosslessSV1: lambda gray: imagecodecs.ljpeg_encode(np.asarray(gray)),
    uid.JPEGLSLossless: lambda gray: imagecodecs.jpegls_encode(np.asarray(gray)),
}


def compressed(syntax):
    """A DICOM file of 8 bits in some compression."""
    dataset = pydicom.dcmread(io.BytesIO(dicom(0)))
    gray = picture(0, (20, 16)).convert("L")
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelData = 7, gray.tobytes()
    if syntax == uid.RLELossless:
        dataset.compress(syntax)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([ENCODERS[syntax](gray)])
        dataset["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def test_no_decoder_opens_a_file_once_all_is_loaded():
    gray = np.arange(256, dtype=np.uint16).reshape(16, 16)
    files = {form: encoded(picture(1), form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")}
    files |= {codec: tiff(gray, compression=codec, predictor=True) for codec in ("lzw", "zstd", "deflate")}
    files |= {codec: tiff(gray, compression=codec) for codec in ("lzma", "packbits", "jpeg2000", "jpegxr", "png")}
    files["float predictor"] = tiff(gray.astype(np.float32), compression="zlib", predictor=True)
    files["OME"] = tiff(np.stack([gray] * 3), ome=True, metadata={"axes": "CYX"})
    files["ImageJ"] = tiff(np.stack([gray] * 3), imagej=True, metadata={"axes": "CYX"})
    files["PNG of 16 bits"] = imagecodecs.png_encode(np.stack([gray] * 3, axis=-1))
    files["gray PNG of 16 bits"] = encoded(Image.fromarray(gray))
    files["DICOM"] = dicom(0)
    files["DICOM through a window"] = dicom(0, WindowCenter=100, WindowWidth=0.5, VOILUTFunction="SIGMOID")
    files["DICOM without its header"] = dicom(0)[132:]
    for syntax in (
        uid.RLELossless,
        uid.JPEG2000Lossless,
        uid.JPEGBaseline8Bit,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
    ):
        files[syntax.name] = compressed(syntax)
    files["DICOM in Russian"] = dicom(0, patient="Дуб", SpecificCharacterSet="ISO_IR 144")
    told = json.dumps({name: base64.b64encode(content).decode() for name, content in files.items()})
    child = subprocess.run([sys.executable, "-c", CHILD], input=told, capture_output=True, text=True, cwd=ROOT)
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout) == {name: {"asked": [], "error": ""} for name in files}
