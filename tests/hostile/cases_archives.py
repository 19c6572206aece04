"""Archives: ZIP and TAR."""

from __future__ import annotations

import bz2
import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Iterator

from tests.hostile.making import GOOD, as_file, flipped, random_of, zip_bytes
from tests.hostile.suite import LIMITS, Case


def _zip_with(info: zipfile.ZipInfo, content: bytes = b"x") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, image in GOOD.items():
            archive.writestr(name, image)
        archive.writestr(info, content)
    return stream.getvalue()


def _entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename, info.external_attr = name, mode << 16
    return info


def _tar(members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, image in GOOD.items():
            info = tarfile.TarInfo(name)
            info.size = len(image)
            archive.addfile(info, io.BytesIO(image))
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if content else None)
    return stream.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def archives() -> Iterator[Case]:
    """The cases of this module."""
    climbing = ("../evil.jpg", "cat/../../evil.jpg", "..", "cat/..", "a/b/../../../../evil.jpg")
    absolute = ("/etc/evil.jpg", "//host/share/x.jpg", "C:/evil.jpg", "c:evil.jpg")
    back = ("..\\evil.jpg", "cat\\dog.jpg", "C:\\evil.jpg", "\\\\host\\x.jpg")
    for mechanism, names in (
        ("archive name with ..", climbing),
        ("archive name absolute", absolute),
        ("archive name with back-slash", back),
    ):
        for name in names:
            yield as_file(mechanism, f"zip {name}", lambda name=name: _zip_with(_entry(name)))
            yield as_file(mechanism, f"tar {name}", lambda name=name: _tar([(_member(name), b"")]), "x.tar")
    yield as_file(
        "archive link", "zip link", lambda: _zip_with(_entry("cat/l.jpg", stat.S_IFLNK | 0o777), b"/etc/passwd")
    )
    yield as_file(
        "archive link", "tar link", lambda: _tar([(_member("cat/l.jpg", tarfile.SYMTYPE, "/etc/passwd"), b"")]), "x.tar"
    )
    yield as_file(
        "archive link",
        "tar hard link",
        lambda: _tar([(_member("l.jpg", tarfile.LNKTYPE, "../../secret.jpg"), b"")]),
        "x.tar",
    )
    yield as_file(
        "archive link",
        "tar link, then a file in it",
        lambda: _tar([(_member("d", tarfile.SYMTYPE, "/tmp"), b""), (_member("d/x.jpg"), b"")]),
        "x.tar",
    )
    for kind, mode in (
        ("device", stat.S_IFBLK),
        ("tty", stat.S_IFCHR),
        ("pipe", stat.S_IFIFO),
        ("socket", stat.S_IFSOCK),
    ):
        yield as_file("archive device", f"zip {kind}", lambda mode=mode: _zip_with(_entry("cat/d.jpg", mode | 0o666)))
    for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, b"Z"):
        yield as_file(
            "archive device", f"tar {kind!r}", lambda kind=kind: _tar([(_member("cat/d.jpg", kind), b"")]), "x.tar"
        )
    yield from _bombs()
    yield from _broken_archives()


def _bombs() -> Iterator[Case]:
    zeros = b"\0" * 2_900_000
    yield as_file("archive bomb: ratio", "one entry", lambda: zip_bytes({**GOOD, "cat/b.bmp": zeros}))
    yield as_file(
        "archive bomb: ratio",
        "gzip",
        lambda: gzip.compress(_tar([(_member("cat/b.bmp", size=len(zeros)), zeros)])),
        "x.tgz",
    )
    yield as_file(
        "archive bomb: ratio",
        "bzip2",
        lambda: bz2.compress(_tar([(_member("cat/b.bmp", size=len(zeros)), zeros)])),
        "x.tar.bz2",
    )
    noise = random_of("bomb").bytes(1_000_000)
    yield as_file(
        "archive bomb: size", "zip", lambda: zip_bytes({f"cat/{i}.bmp": noise for i in range(7)}, zipfile.ZIP_STORED)
    )
    yield as_file(
        "archive bomb: size",
        "tar",
        lambda: _tar([(_member(f"{i}.bmp", size=len(noise)), noise) for i in range(7)]),
        "x.tar",
    )
    yield as_file("archive bomb: size", "a size that is a lie", lambda: _lying_zip(2**31))
    yield as_file("archive bomb: size", "a small size that is a lie", lambda: _lying_zip(10))
    yield as_file(
        "archive bomb: entries",
        "zip",
        lambda: zip_bytes({f"{i}.txt": b"" for i in range(LIMITS["archive_entries"] + 1)}),
    )
    yield as_file(
        "archive bomb: entries",
        "tar",
        lambda: _tar([(_member(f"{i}.txt"), b"") for i in range(LIMITS["archive_entries"])]),
        "x.tar",
    )
    yield as_file("archive bomb: entries", "a directory that is a lie", lambda: _lying_directory(2**31))
    yield as_file("archive bomb: nested", "zip in zip", lambda: zip_bytes({"inner.zip": zip_bytes(GOOD)}))
    yield as_file(
        "archive bomb: nested", "zip beside images", lambda: zip_bytes({**GOOD, "cat/inner.zip": zip_bytes(GOOD)})
    )
    yield as_file(
        "archive bomb: nested", "gz in tar", lambda: _tar([(_member("x.gz", size=20), gzip.compress(b""))]), "x.tar"
    )
    yield as_file(
        "archive bomb: nested", "named as an image", lambda: zip_bytes({**GOOD, "cat/x.jpg": zip_bytes(GOOD)})
    )
    yield as_file(
        "archive bomb: headers", "pax header of a gigabyte", lambda: gzip.compress(_long_header(b"x", 2**30)), "x.tgz"
    )
    yield as_file("archive bomb: headers", "long name of a gigabyte", lambda: _long_header(b"L", 2**30), "x.tar")
    yield as_file(
        "archive bomb: headers",
        "sparse file",
        lambda: _tar([(_member("cat/s.bmp", tarfile.GNUTYPE_SPARSE), b"")]),
        "x.tar",
    )
    yield as_file(
        "archive bomb: headers",
        "a file of an exabyte",
        lambda: _tar([(_member("cat/s.bmp", size=2**60), b"")]),
        "x.tar",
    )
    yield as_file("archive bomb: overlap", "one body, many names", _overlapping)
    yield as_file("archive bomb: overlap", "two entries of one name", lambda: _twice("cat/0.jpg"))
    yield as_file("archive bomb: overlap", "two entries of one name, written otherwise", lambda: _twice("cat//0.jpg"))


def _twice(name: str) -> bytes:
    return _zip_with(_entry(name), GOOD["cat/0.jpg"])


def _lying_zip(size: int) -> bytes:
    """The directory says that the first file has `size` bytes."""
    content = bytearray(zip_bytes(GOOD))
    place = content.index(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<L", size)
    return bytes(content)


def _lying_directory(size: int) -> bytes:
    content = bytearray(zip_bytes(GOOD))
    place = content.rindex(b"PK\x05\x06")
    content[place + 12 : place + 16] = struct.pack("<L", size)
    return bytes(content)


def _long_header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096


def _overlapping() -> bytes:
    """Every entry of the directory points at the same body."""
    content = bytearray(zip_bytes(GOOD))
    place = content.index(b"PK\x01\x02")
    while place >= 0:
        content[place + 42 : place + 46] = struct.pack("<L", 0)
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(content)


def _broken_archives() -> Iterator[Case]:
    whole, tar = zip_bytes(GOOD), _tar([])
    packed = gzip.compress(tar)
    for i, share in enumerate((0.1, 0.5, 0.9, 0.99)):
        yield as_file("archive cut short", f"zip {i}", whole[: int(len(whole) * share)])
        yield as_file("archive cut short", f"tar {i}", tar[: int(len(tar) * share * 0.5) + 100], "x.tar")
        yield as_file("archive cut short", f"tgz {i}", packed[: int(len(packed) * share)], "x.tgz")
    for i in range(12):
        random = random_of(f"archive {i}")
        yield as_file("archive with changed bytes", f"zip {i}", flipped(whole, random, 2 + 3 * i))
        directory = whole.index(b"PK\x01\x02")
        yield as_file(
            "archive with changed bytes",
            f"zip directory {i}",
            whole[:directory] + flipped(whole[directory:], random, 3),
        )
        yield as_file("archive with changed bytes", f"tar {i}", flipped(tar[:2048], random, 4) + tar[2048:], "x.tar")
        yield as_file("archive with changed bytes", f"tgz {i}", flipped(packed, random, 3), "x.tgz")
    encrypted = bytearray(whole)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = encrypted.find(mark)
        while at >= 0:
            encrypted[at + place] |= 1
            at = encrypted.find(mark, at + 4)
    yield as_file("archive of a rare kind", "encrypted", bytes(encrypted))
    yield as_file("archive of a rare kind", "bzip2 inside", lambda: zip_bytes(GOOD, zipfile.ZIP_BZIP2))
    yield as_file("archive of a rare kind", "lzma inside", lambda: zip_bytes(GOOD, zipfile.ZIP_LZMA))
    yield as_file("archive of a rare kind", "7-Zip", b"7z\xbc\xaf\x27\x1c" + b"\0" * 99, "x.7z")
    yield as_file("archive of a rare kind", "RAR", b"Rar!\x1a\x07\x01\0" + b"\0" * 99, "x.rar")
    yield as_file("archive of a rare kind", "XZ", b"\xfd7zXZ\0" + b"\0" * 99, "x.xz")
    yield as_file("archive of a rare kind", "nothing", b"", "x.zip")
    yield as_file("archive of a rare kind", "no archive", b"hello", "x.zip")
    yield as_file("archive of a rare kind", "empty zip", lambda: zip_bytes({}))
    yield as_file("archive of a rare kind", "self-extracting", b"MZ" + b"\0" * 500 + whole)
