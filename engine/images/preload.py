"""Loads all that decoding an image may need, before a process gives up the right to open files.

Libraries of images load their codecs when a file first asks for them, which a confined process can no longer do.
"""

from __future__ import annotations

import codecs
import importlib

_MODULES = (  # that the libraries or this program import within functions
    "_strptime",
    "engine.images.dicom",
    "engine.images.tiff",
    "imagehash",
    "pydicom.filewriter",
    "pydicom.overlays",
    "pydicom.pixels.decoders",
    "scipy.fftpack",
    "tifffile.geodb",
    "uuid",
    "xml.etree.ElementTree",
)


def preload() -> None:
    """Import every module and codec that `engine.images.converting.convert` and a decoder process may reach.

    It takes about a second, and some 100 MB.
    """
    from PIL import Image

    for module in _MODULES:
        importlib.import_module(module)
    Image.init()  # every format that Pillow knows
    _load_image_codecs()
    _load_text_codecs()


def _load_image_codecs() -> None:
    """Looking a compression or predictor of TIFF up loads its codec, if there is one; those of DICOM by their names."""
    import imagecodecs
    import tifffile

    from engine.images.dicom_codecs import CODECS

    for compression in tifffile.COMPRESSION:
        tifffile.TIFF.DECOMPRESSORS.get(compression)
    for predictor in tifffile.PREDICTOR:
        tifffile.TIFF.UNPREDICTORS.get(predictor)
    for name in ("png_decode", "packints_decode", "bitorder_decode", "float24_decode", *CODECS.values()):
        getattr(imagecodecs, name)


def _load_text_codecs() -> None:
    """The character sets in which a DICOM file may write names."""
    from pydicom.charset import python_encoding

    for name in {*python_encoding.values(), "utf-16", "utf-32", "idna"}:
        codecs.lookup(name)
