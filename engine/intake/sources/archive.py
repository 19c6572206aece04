"""ZIP and TAR archives as trees of files: checked as a whole before a single byte of an entry is unpacked."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import storage_error
from engine.intake.encodings import decoded_names
from engine.intake.sources.tree import Skipped, Tree, is_junk
from engine.settings import ImportSettings

NESTED = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".tbz2", ".jar")
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"\xfd7zXZ\x00": "XZ",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_UTF_8_FLAG = 0x800  # general purpose bit 11 (APPNOTE 4.4.4)
_UNICODE_PATH = 0x7075  # the extra field of a name in UTF-8 (APPNOTE 4.6.9)
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # what every packer writes; the others decode in unbounded memory
_OTHER_ZIP = NotImplementedError  # what zipfile raises for a version, or a kind of data, that it does not know
_SMALL = 1_000_000  # bytes; a file that unpacks to less can hurt nobody, whatever its ratio
_HEADER_BYTES = 1_000_000  # of a TAR header's extensions, which Python reads into memory at once
_CHUNK = 1 << 20


def open_archive(path: Path, settings: ImportSettings, encoding: str = "") -> Tree:
    """The files of an archive, recognized by content. encoding: of its names, where they do not say it themselves.

    Raises InvalidInputError for what is no archive, breaks a limit, or holds a link, a device, an absolute name, "..",
    a back-slash, or two different files of one name; DamagedFileError if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise storage_error(error, path) from error
    for magic, name in _OTHERS.items():
        if start.startswith(magic):
            raise InvalidInputError(f"{path.name} is a {name} archive, which is not read: pack it as ZIP instead.")
    try:
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
            return ZipTree(path, settings, encoding)
        if start.startswith((b"\x1f\x8b", b"BZh")) or start[257:262] == b"ustar":
            return TarTree(path, settings, encoding)
        if zipfile.is_zipfile(path):  # by its end, as of one behind a program; a TAR may end in a ZIP that it holds
            return ZipTree(path, settings, encoding)
    except OSError as error:
        if error.errno:
            raise storage_error(error, path) from error
        raise _damaged(path.name, error) from error
    what = "is called an archive, but what is in it is none" if path.name.lower().endswith(NESTED) else "is no archive"
    raise InvalidInputError(
        f"{path.name} {what} that is known, nor a table: bring a folder, a ZIP, or a CSV, TSV or Parquet file."
    )


class _Limits:
    """Counts what an archive declares, and refuses it as soon as a limit is passed."""

    def __init__(self, title: str, packed: int, settings: ImportSettings) -> None:
        self._title, self._packed, self._settings = title, max(packed, 1), settings
        self._entries, self._bytes = 0, 0

    def add(self, size: int) -> None:
        """Take in one entry of `size` bytes, unpacked."""
        self._entries += 1
        self._bytes += size
        if self._entries > self._settings.archive_entries:
            self._refuse(f"more than {self._settings.archive_entries:,} entries", "archive_entries")
        if self._bytes > self._settings.archive_bytes:
            self._refuse(f"more than {self._settings.archive_bytes:,} bytes when unpacked", "archive_bytes")
        if self._bytes > max(_SMALL, self._settings.archive_ratio * self._packed):
            self._refuse(
                f"more than {self._settings.archive_ratio:,.0f} times its own size when unpacked", "archive_ratio"
            )

    def _refuse(self, what: str, setting: str) -> None:
        raise InvalidInputError(
            f"{self._title} holds {what}: make it smaller, unpack it yourself and import the folder, or raise the "
            f"setting {setting}."
        )


def _check_name(title: str, name: str) -> None:
    """Raises InvalidInputError for a name that could lead out of a folder."""
    shown = name[:80]
    if "\\" in name:
        raise _bad(title, f"the entry {shown!r}, whose name has a back-slash")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        raise _bad(title, f"the entry {shown!r}, whose name is absolute")
    if ".." in name.split("/"):
        raise _bad(title, f"the entry {shown!r}, whose name leads out of the archive with '..'")
    if "\0" in name or not name.strip("/"):
        raise _bad(title, f"an entry without a usable name ({shown!r})")


def _bad(title: str, what: str) -> InvalidInputError:
    return InvalidInputError(f"{title} holds {what}: nothing of it was taken. Pack plain files and folders only.")


def _damaged(title: str, error: Exception) -> DamagedFileError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()[:120]
    return DamagedFileError(f"{title} is a damaged archive ({reason}): pack it, or download it, again.")


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", "/".join(part for part in name.split("/") if part not in ("", ".")))


class _ArchiveTree(Tree):
    """What both kinds of archive share: the table of entries by name."""

    def __init__(self, path: Path, settings: ImportSettings) -> None:
        self.title = path.name
        self.path_ = path
        self.skipped = []
        self.files = {}
        self._entries: dict[str, Any] = {}
        self._again: dict[str, list[Any]] = {}  # further entries of a name
        about = path.stat()
        self._modified = about.st_mtime_ns
        self._limits = _Limits(self.title, about.st_size, settings)

    def _take(self, name: str, size: int, entry: Any) -> None:
        plain = _normal(name)
        if plain in self._entries:
            self._again.setdefault(plain, []).append(entry)
            return
        self._entries[plain] = entry
        if is_junk(plain):
            return
        if plain.lower().endswith(NESTED):
            self.skipped.append(Skipped(plain, "is an archive inside the archive, which is not opened"))
            return
        cast(dict[str, int], self.files)[plain] = size

    def _settle_names(self) -> None:
        """Several entries of one name are one file if they have the same content, and refused if not."""
        for name, further in self._again.items():
            if not all(self._same(self._entries[name], entry) for entry in further):
                raise InvalidInputError(
                    f"{self.title} holds {len(further) + 1} different files of the one name {name[:80]!r}, and nothing "
                    "says which counts: delete the wrong one in the archive, or unpack it (which keeps the last) and "
                    "import the folder."
                )
        if self._again:
            some = ", ".join(repr(name[:60]) for name in list(self._again)[:3])
            number = len(self._again)
            files, count = ("1 file is", "counts") if number == 1 else (f"{number:,} files are", "count")
            self.notes = (f"{files} in the archive more than once with the same content, and {count} once ({some}).",)

    @abstractmethod
    def _same(self, first: Any, second: Any) -> bool:
        """Whether two entries have the same content."""


class ZipTree(_ArchiveTree):
    """A ZIP archive."""

    def __init__(self, path: Path, settings: ImportSettings, encoding: str = "") -> None:
        super().__init__(path, settings)
        _check_directory(path, settings)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, struct.error, ValueError, _OTHER_ZIP, EOFError) as error:
            raise _damaged(self.title, error) from error
        try:
            entries = self._zip.infolist()
            for info, name in zip(entries, self._names(entries, encoding), strict=True):
                self._add(info, name, settings)
            self._settle_names()
        except BaseException:
            self._zip.close()
            raise

    def _names(self, entries: list[zipfile.ZipInfo], encoding: str) -> list[str]:
        """The entries' names. Those that are not marked as UTF-8 are in whatever encoding the packer's machine had."""
        known = [_marked_name(info) for info in entries]
        unmarked = [
            info.orig_filename.encode("cp437") for info, name in zip(entries, known, strict=True) if name is None
        ]
        texts, self.encoding = decoded_names(unmarked, self.title, encoding)
        rest = iter(texts)
        return [next(rest) if name is None else name for name in known]

    def _same(self, first: zipfile.ZipInfo, second: zipfile.ZipInfo) -> bool:
        return (first.CRC, first.file_size) == (second.CRC, second.file_size)  # checked when an entry is read

    def changed(self, name: str) -> int:
        """The checksum of its content."""
        return int(self._entries[name].CRC)

    def _add(self, info: zipfile.ZipInfo, name: str, settings: ImportSettings) -> None:
        _check_name(self.title, name)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind == stat.S_IFLNK:
            raise _bad(self.title, f"the link {name[:80]!r}")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _bad(self.title, f"the device or pipe {name[:80]!r}")
        self._limits.add(info.file_size)
        if info.is_dir():
            return
        if info.flag_bits & 1:
            raise InvalidInputError(f"{self.title} is encrypted: unpack it with its password and import the folder.")
        if info.compress_type not in _METHODS:
            raise InvalidInputError(
                f"{self.title} uses a rare kind of compression for {name[:80]!r}: pack it as a plain ZIP."
            )
        if info.file_size > _SMALL and info.file_size > settings.archive_ratio * 6 * max(1, info.compress_size):
            raise _bad(self.title, f"{name[:80]!r}, which unpacks to {info.file_size:,} bytes, as a bomb does")
        self._take(name, info.file_size, info)

    def open(self, name: str) -> IO[bytes]:
        """One entry. Raises DamagedFileError."""
        try:
            return cast(IO[bytes], _Guarded(self._zip.open(self._entries[name]), f"{name} in {self.title}"))
        except (zipfile.BadZipFile, zlib.error, _OTHER_ZIP, RuntimeError, OSError, EOFError) as error:
            raise _damaged(f"{name} in {self.title}", error) from error

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()


def _marked_name(info: zipfile.ZipInfo) -> str | None:
    """An entry's name where it is known to be Unicode: by its flag, or by Info-ZIP's extra field; None where not."""
    if info.flag_bits & _UTF_8_FLAG:
        return info.orig_filename
    place = 0
    while place + 4 <= len(info.extra):
        kind, size = struct.unpack_from("<HH", info.extra, place)
        field = info.extra[place + 4 : place + 4 + size]
        if kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1:
            (checksum,) = struct.unpack_from("<L", field, 1)
            if checksum == zlib.crc32(info.orig_filename.encode("cp437")):  # of the name that it belongs to
                with suppress(UnicodeDecodeError):
                    return field[5:].decode()
        place += 4 + size
    return None


def _check_directory(path: Path, settings: ImportSettings) -> None:
    """Count the entries of a ZIP's directory before Python's reader makes an object of each, and refuse too many."""
    with path.open("rb") as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(max(0, end - 65_557))  # the end record and the longest comment
        tail = file.read()
        place = tail.rfind(b"PK\x05\x06")
        if place < 0 or len(tail) < place + 20:
            raise _damaged(path.name, zipfile.BadZipFile("its directory is missing"))
        (size,) = struct.unpack_from("<L", tail, place + 12)
        large = tail.rfind(b"PK\x06\x06", 0, place)  # ZIP64 keeps the size elsewhere
        if size == 0xFFFFFFFF and large >= 0 and len(tail) >= large + 48:
            place = large
            (size,) = struct.unpack_from("<Q", tail, large + 40)
        start = end - len(tail) + place - size
        if start < 0:
            raise _damaged(path.name, zipfile.BadZipFile("its directory is longer than the file"))
        file.seek(start)
        for _ in range(settings.archive_entries + 1):
            header = file.read(46)
            if len(header) < 46 or header[:4] != b"PK\x01\x02":
                return
            file.seek(sum(struct.unpack_from("<HHH", header, 28)), io.SEEK_CUR)  # name, extra field, comment
    raise InvalidInputError(
        f"{path.name} lists more entries than the {settings.archive_entries:,} allowed: make it smaller, or raise the "
        "setting archive_entries."
    )


class TarTree(_ArchiveTree):
    """A TAR archive, plain or compressed. Its entries are quickest to read in their order."""

    def __init__(self, path: Path, settings: ImportSettings, encoding: str = "") -> None:
        super().__init__(path, settings)
        self._file = _BoundedReader(_decompressed(path), self.title)
        try:
            self._tar = tarfile.TarFile(
                fileobj=cast(Any, self._file), errorlevel=1, encoding="utf-8", errors="surrogateescape"
            )
            files = [member for member in self._members() if self._counts(member)]
            raw = [member.name.encode("utf-8", "surrogateescape") for member in files]
            names, self.encoding = decoded_names(raw, self.title, encoding)
            for member, name in zip(files, names, strict=True):
                _check_name(self.title, name)
                self._take(name, member.size, member)
            self._settle_names()
        except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, ValueError, OverflowError) as error:
            self._file.close()
            raise _damaged(self.title, error) from error
        except BaseException:
            self._file.close()
            raise

    def _members(self) -> Iterator[tarfile.TarInfo]:
        while (member := self._tar.next()) is not None:
            yield member
        if self._file.failed:
            raise tarfile.ReadError("it ends too early")

    def _counts(self, member: tarfile.TarInfo) -> bool:
        """Whether an entry is a file. Raises InvalidInputError for what is neither a file nor a folder."""
        if not member.isreg():
            _check_name(self.title, member.name)
        if member.issym() or member.islnk():
            raise _bad(self.title, f"the link {member.name[:80]!r}")
        if not (member.isdir() or member.isreg()) or member.issparse():
            raise _bad(self.title, f"the device, pipe or sparse file {member.name[:80]!r}")
        if member.size < 0:
            raise _damaged(self.title, tarfile.ReadError("a size below 0"))
        self._limits.add(member.size)
        return member.isreg()

    def _settle_names(self) -> None:
        """Contents are compared in the order of the archive: going back in a compressed one means starting anew."""
        doubled = [entry for name, further in self._again.items() for entry in (self._entries[name], *further)]
        self._digests = {entry.offset: self._digest(entry) for entry in sorted(doubled, key=lambda entry: entry.offset)}
        super()._settle_names()

    def _same(self, first: tarfile.TarInfo, second: tarfile.TarInfo) -> bool:
        return self._digests[first.offset] == self._digests[second.offset]

    def changed(self, name: str) -> int:
        """When the archive was changed, ns since 1970: its entries have no checksums."""
        return self._modified

    def _digest(self, member: tarfile.TarInfo) -> bytes:
        file = self._tar.extractfile(member)
        assert file is not None  # only regular files are kept
        return hashlib.file_digest(cast(Any, file), "sha256").digest()

    def open(self, name: str) -> IO[bytes]:
        """One entry. Raises DamagedFileError."""
        try:
            found = self._tar.extractfile(self._entries[name])
            assert found is not None  # only regular files are kept
            return cast(IO[bytes], _Guarded(found, f"{name} in {self.title}"))
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise _damaged(f"{name} in {self.title}", error) from error

    def close(self) -> None:
        """Close the archive."""
        self._tar.close()
        self._file.close()


def _decompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        magic = file.read(3)
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if magic == b"BZh":
        return cast(IO[bytes], bz2.open(path, "rb"))
    return path.open("rb")


class _BoundedReader:
    """A file that refuses to give more than a header or a chunk at once: no length in it can fill the memory."""

    def __init__(self, file: IO[bytes], title: str) -> None:
        self._file, self._title, self.failed = file, title, False
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes. Raises InvalidInputError if that is more than any honest archive asks for."""
        if size < 0 or size > max(_CHUNK, _HEADER_BYTES):
            raise InvalidInputError(
                f"{self._title} has a header that asks for {size:,} bytes: it is damaged, or made to fill the memory."
            )
        try:
            return self._file.read(size)
        except (EOFError, OSError, zlib.error) as error:
            self.failed = True
            raise _damaged(self._title, error) from error


class _Guarded(io.RawIOBase):
    """An entry that is read in chunks, and whose errors are sentences."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, or all of them."""
        wanted = -1 if size is None else size
        chunks: list[bytes] = []
        while wanted:
            chunk = self._chunk(_CHUNK if wanted < 0 else min(_CHUNK, wanted))
            if not chunk:
                break
            chunks.append(chunk)
            wanted -= len(chunk) if wanted > 0 else 0
        return b"".join(chunks)

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as the entry goes."""
        chunk = self._chunk(min(len(buffer), _CHUNK))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def _chunk(self, size: int) -> bytes:
        read: Callable[[int], bytes] = self._file.read
        try:
            return read(size)
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, _OTHER_ZIP) as error:
            raise _damaged(self._name, error) from error

    def close(self) -> None:
        """Close the entry."""
        if not self.closed:
            self._file.close()
        super().close()
