"""Compressions of DICOM that pydicom leaves to packages beside it (JPEG Lossless, JPEG-LS, JPEG of 12 bits).

A plugin as `pydicom.pixels.decoders` describes it, with imagecodecs as its decoder.
"""

from __future__ import annotations

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

CODECS = {
    uid.JPEGExtended12Bit: "jpeg8_decode",
    uid.JPEGLossless: "jpegsof3_decode",
    uid.JPEGLosslessSV1: "jpegsof3_decode",
    uid.JPEGLSLossless: "jpegls_decode",
    uid.JPEGLSNearLossless: "jpegls_decode",
}
DECODER_DEPENDENCIES = dict.fromkeys(CODECS, ("imagecodecs",))


def is_available(syntax: str) -> bool:
    """Whether this module decodes a transfer syntax."""
    return syntax in CODECS


def decode_frame(encoded: bytes, runner: DecodeRunner) -> bytearray:
    """The values of one frame, row by row, of 8 or 16 bits. Raises as imagecodecs does on damaged bytes."""
    values = getattr(imagecodecs, CODECS[runner.transfer_syntax])(bytes(encoded))
    width = 8 * values.dtype.itemsize
    runner.set_option("bits_allocated", width)
    runner.set_option("planar_configuration", 0)
    if runner.pixel_representation:  # the sign is the highest of the bits stored, and must be that of the container
        unused = width - runner.bits_stored
        values = np.right_shift(np.left_shift(values, unused).view(f"i{values.dtype.itemsize}"), unused)
    return bytearray(values.tobytes())


def register() -> None:
    """Let pydicom ask this module, after the decoders that it brings."""
    for syntax in CODECS:
        decoder = get_decoder(syntax)
        if "imagecodecs" not in decoder.available_plugins:
            decoder.add_plugin("imagecodecs", (__name__, decode_frame.__name__))
