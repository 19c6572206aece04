"""A process that has given up the right to open files still decodes whatever comes."""

import base64
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tests.engine.tasks.made_sources import dicom, encoded, picture

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
import base64, json, sys
from engine.tasks.decoder import _look
from engine.tasks.preload import preload

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


def test_no_decoder_opens_a_file_once_all_is_loaded():
    gray = np.arange(256, dtype=np.uint16).reshape(16, 16)
    files = {form: encoded(picture(1), form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")}
    files |= {codec: tiff(gray, compression=codec, predictor=True) for codec in ("lzw", "zstd", "deflate")}
    files |= {codec: tiff(gray, compression=codec) for codec in ("lzma", "packbits", "jpeg2000", "jpegxr", "png")}
    files["float predictor"] = tiff(gray.astype(np.float32), compression="zlib", predictor=True)
    files["OME"] = tiff(np.stack([gray] * 3), ome=True, metadata={"axes": "CYX"})
    files["ImageJ"] = tiff(np.stack([gray] * 3), imagej=True, metadata={"axes": "CYX"})
    files["PNG of 16 bits"] = encoded(Image.fromarray(gray))
    files["DICOM"] = dicom(0)
    files["DICOM in Russian"] = dicom(0, patient="Дуб", SpecificCharacterSet="ISO_IR 144")
    told = json.dumps({name: base64.b64encode(content).decode() for name, content in files.items()})
    child = subprocess.run([sys.executable, "-c", CHILD], input=told, capture_output=True, text=True, cwd=ROOT)
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout) == {name: {"asked": [], "error": ""} for name in files}
