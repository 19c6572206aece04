"""Image files: many in one import, among good ones."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.engine.intake import made_sources as made
from tests.hostile.making import GOOD, flipped, random_of, zip_bytes
from tests.hostile.suite import Case


def _among_good(mechanism: str, files: dict[str, bytes]) -> Case:
    named = {f"cat/{name}": content for name, content in files.items()}
    return Case(mechanism, mechanism, lambda folder: made.put(folder, {**GOOD, **named}), tuple(named))


def _image_files() -> dict[str, bytes]:
    image = made.picture(5, (40, 40))
    files = {
        f"x.{form.lower()}": made.encoded(image, form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
    }
    return {**files, "x.dcm": made.dicom(5)}


def images() -> Iterator[Case]:
    """The cases of this module."""
    whole = _image_files()
    cut, changed = {}, {}
    for name, content in whole.items():
        random = random_of(name)
        stem, suffix = name.split(".")
        for i, share in enumerate((0.02, 0.3, 0.9)):
            cut[f"{stem}{i}.{suffix}"] = content[: int(len(content) * share)]
        for i in range(9):
            changed[f"{stem}{i}.{suffix}"] = flipped(content, random, 1 + 4 * i)
    yield _among_good("image cut short", cut)
    yield _among_good("image with changed bytes", changed)
    yield _among_good(
        "image with changed header",
        {
            f"h{i}-{name}": flipped(content[:64], random_of(name + str(i)), 3) + content[64:]
            for name, content in whole.items()
            for i in range(2)
        },
    )
    random = random_of("noise")
    yield _among_good(
        "no image at all",
        {
            "empty.png": b"",
            "text.jpg": b"hello",
            "html.png": b"<html><script>alert(1)</script>",
            "zero.gif": b"\0" * 500,
            "eps.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nquit\n",
            "pdf.png": b"%PDF-1.7\n",
            "svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
            "elf.bmp": b"\x7fELF" + b"\0" * 100,
            "shell.jpg": b"#!/bin/sh\ntouch /tmp/owned\n",
            **{f"noise{i}.webp": random.bytes(300) for i in range(4)},
        },
    )
    yield _among_good(
        "image with another suffix",
        {
            "png.jpg": whole["x.png"],
            "gif.tif": whole["x.gif"],
            "dicom.png": whole["x.dcm"],
            "tiff.webp": whole["x.tiff"],
            "zip.png": whole["x.png"] + zip_bytes(GOOD),
            "exe.jpg": whole["x.jpeg"] + b"MZ" + b"\0" * 99,
        },
    )
    yield _among_good("image bomb: pixels", _pixel_bombs())
    yield _among_good("image bomb: compressed chunks", _chunk_bombs())
    yield _among_good("odd but honest image", _odd_images())
    yield _among_good("TIFF that leads in circles", _tiffs())
    yield _among_good("DICOM with wrong elements", _dicoms())
    yield _among_good("image with hostile metadata", _metadata())


def _png(width: int, height: int, depth: int, color: int, data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = b"".join(chunk(*c) for c in chunks)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    )


def _pixel_bombs() -> dict[str, bytes]:
    gif = bytearray(made.encoded(made.picture(1), "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(made.encoded(made.picture(1), "BMP"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    return {
        "wide.png": _png(2**31 - 1, 2**31 - 1, 8, 2, b""),
        "long.png": _png(1, 5_000_000, 1, 0, b""),
        "square.png": _png(30_000, 30_000, 8, 0, b"\0" * 1000),
        "canvas.gif": bytes(gif),
        "sizes.bmp": bytes(bmp),
        "map.ppm": b"P6 99999 99999 255\n",
        "negative.ppm": b"P6 -5 -5 255\n",
        "zero.png": _png(0, 0, 8, 2, b""),
        "black.png": made.encoded(Image.new("1", (3000, 2000))),
        "gray.tif": _tiff_header(60_000, 60_000),
        "rows.dcm": made.dicom(1, Rows=65_535, Columns=65_535),
        "none.dcm": made.dicom(1, Rows=0, Columns=0),
    }


def _tiff_header(width: int, height: int, *, next_offset: int = 0, strip: int = 8, bits: int = 8) -> bytes:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, strip), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, width * height % 2**32)]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + struct.pack("<I", next_offset) + b"\0" * 64


def _tiffs() -> dict[str, bytes]:
    many = b"II*\0" + struct.pack("<IH", 8, 65_535) + b"\xff" * 600
    return {
        "self.tif": _tiff_header(4, 4, next_offset=8, strip=130),
        "far.tif": _tiff_header(4, 4, next_offset=2**32 - 2),
        "strip.tif": _tiff_header(4, 4, strip=2**32 - 1),
        "bits.tif": _tiff_header(4, 4, bits=31, strip=130),
        "many.tif": many,
        "nothing.tif": b"II*\0" + b"\0" * 40,
        "big.tif": b"II+\0" + struct.pack("<HHQ", 8, 0, 2**63),
        "fine.tif": _tiff_header(4, 4, strip=130),
    }


def _chunk_bombs() -> dict[str, bytes]:
    rows = b"\0" * (25 * 24)  # a filter byte and 24 gray values a row
    bomb = zlib.compress(b"A" * 30_000_000, 9)
    return {
        "text.png": _png(24, 24, 8, 0, rows, (b"zTXt", b"Comment\0\0" + bomb)),
        "itxt.png": _png(24, 24, 8, 0, rows, (b"iTXt", b"Comment\0\1\0\0\0" + bomb)),
        "profile.png": _png(24, 24, 8, 0, rows, (b"iCCP", b"x\0\0" + bomb)),
        "more.png": _png(24, 24, 8, 0, b"\0" * 20_000_000),
        "less.png": _png(24, 24, 8, 0, b"\0" * 30),
        "palette.png": _png(24, 24, 8, 3, b"\xff" * (25 * 24)),
        "deflated.dcm": _deflated_dicom(30_000_000),
    }


def _deflated_dicom(size: int) -> bytes:
    """Compressed as a whole (transfer syntax "deflated"), with `size` zeros as its pixels."""
    dataset = pydicom.dcmread(io.BytesIO(made.dicom(1)))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.PixelData = b"\0" * size
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def _odd_images() -> dict[str, bytes]:
    rotated = Image.Exif()
    rotated[0x0112] = 8
    frames = [Image.new("P", (20, 20), i) for i in range(30)]
    values = np.arange(400, dtype=np.uint16).reshape(20, 20) * 150
    return {
        "one.png": made.encoded(Image.new("RGB", (1, 1))),
        "line.png": made.encoded(Image.new("L", (3000, 1))),
        "turned.jpg": made.encoded(made.picture(3), "JPEG", exif=rotated),
        "cmyk.jpg": made.encoded(made.picture(4).convert("CMYK"), "JPEG"),
        "frames.gif": made.encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "clear.png": made.encoded(Image.new("RGBA", (20, 20), (0, 0, 0, 0))),
        "deep.png": made.encoded(Image.fromarray(values)),
        "float.tif": made.encoded(Image.fromarray(np.full((20, 20), np.inf, dtype=np.float32)), "TIFF"),
        "icon.jpg": made.encoded(made.picture(6).convert("L"), "JPEG"),
        "lossless.webp": made.encoded(made.picture(7), "WEBP", lossless=True),
    }


def _dicoms() -> dict[str, bytes]:
    plain = made.dicom(8)
    return {
        "bits.dcm": made.dicom(8, BitsAllocated=7),
        "planes.dcm": made.dicom(8, SamplesPerPixel=9),
        "frames.dcm": made.dicom(8, NumberOfFrames=2**30),
        "window.dcm": made.dicom(8, WindowCenter=1, WindowWidth=0),
        "kind.dcm": made.dicom(8, PhotometricInterpretation="PALETTE COLOR"),
        "slope.dcm": made.dicom(8, RescaleSlope=1e300, RescaleIntercept=-1e300),
        "nan.dcm": made.dicom(8, RescaleSlope=float("inf"), RescaleIntercept=0),
        "short.dcm": made.dicom(8, PixelData=b"\0\0"),
        "long.dcm": made.dicom(8, PixelData=b"\0" * 100_000),
        "preamble.dcm": b"\0" * 128 + b"DICM",
        "nested.dcm": b"\0" * 128 + b"DICM" + b"\x08\x00\x05\x11SQ\0\0\xff\xff\xff\xff" * 3000,
        "syntax.dcm": plain.replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.4", 1),
    }


def _metadata() -> dict[str, bytes]:
    random = random_of("metadata")
    jpeg = made.encoded(made.picture(9), "JPEG", comment=b"<script>alert(1)</script>")
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + b"\xff\xff" + random.bytes(400)
    loop = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    return {
        "comment.jpg": jpeg,
        "exif.jpg": made.encoded(made.picture(9), "JPEG", exif=exif),
        "loop.jpg": made.encoded(made.picture(9), "JPEG", exif=loop),
        "profile.jpg": made.encoded(made.picture(9), "JPEG", icc_profile=random.bytes(3000)),
        "xmp.png": _png(
            24,
            24,
            8,
            0,
            b"\0" * 600,
            (b"eXIf", random.bytes(99)),
            (b"tEXt", b"XML:com.adobe.xmp\0<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"),
        ),
    }
