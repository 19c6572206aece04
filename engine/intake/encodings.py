"""Text that is not UTF-8: tables as Excel saves them, names in archives. Which encoding it is is judged by all of it.

Bytes are never replaced by a sign of their loss: they are text in one encoding as a whole, or refused.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import IO

import chardet

from engine.errors import InvalidInputError, UnknownNameError
from engine.tasks.questions import Interpretation, Question

# Questions of an import, whose answer is the name of an encoding: of a table, and of the names of files.
TABLE_ENCODING, NAMES_ENCODING = "encoding", "names-encoding"

# What may be chosen, as Python calls it, with what it is in words. A wider encoding stands for those that it contains.
ENCODINGS = {
    "utf-8": "Unicode",
    "utf-16": "Unicode with two bytes a sign",
    "utf-16-le": "Unicode with two bytes a sign, the lower first",
    "utf-16-be": "Unicode with two bytes a sign, the higher first",
    "utf-32": "Unicode with four bytes a sign",
    "cp1252": "Western Europe, Windows",
    "cp1250": "Central Europe, Windows",
    "cp1251": "Cyrillic, Windows",
    "cp1253": "Greek, Windows",
    "cp1254": "Turkish, Windows",
    "cp1255": "Hebrew, Windows",
    "cp1256": "Arabic, Windows",
    "cp1257": "Baltic, Windows",
    "cp1258": "Vietnamese, Windows",
    "cp874": "Thai, Windows",
    "gb18030": "simplified Chinese, GBK",
    "big5hkscs": "traditional Chinese, Big5",
    "cp932": "Japanese, Shift-JIS",
    "cp949": "Korean, Windows",
    "cp850": "Western Europe, DOS",
    "cp852": "Central Europe, DOS",
    "cp866": "Cyrillic, DOS",
    "cp737": "Greek, DOS",
    "cp857": "Turkish, DOS",
    "cp862": "Hebrew, DOS",
    "cp437": "United States, DOS",
    "euc_jp": "Japanese, EUC",
    "koi8-r": "Cyrillic, KOI8-R",
    "iso8859-2": "Central Europe, ISO",
    "iso8859-15": "Western Europe with the euro, ISO",
    "mac-roman": "Western Europe, Mac",
}
_WIDER = {
    **dict.fromkeys(("ascii", "utf-8-sig"), "utf-8"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **dict.fromkeys(("big5", "cp950"), "big5hkscs"),
    **{"shift_jis": "cp932", "euc_kr": "cp949", "iso8859-1": "cp1252"},
}
# What Windows programs save tables in: Excel's "CSV" has the code page of its language.
OF_TABLES = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp874", "gb18030", "big5hkscs", "cp932", "cp949"),
)
OF_NAMES = (*OF_TABLES, "cp850", "cp852", "cp866", "cp737", "cp857", "cp862", "cp437")  # packers keep those of DOS
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20  # bytes
_JUDGED = 200_000  # bytes of different words that an encoding is judged by
# Ours: of 89 lists of two to four short names in 20 encodings, the first one is right in 83; of the others all but one
# (Japanese in half width) reach this share of the first one's score.
_CLOSE = 0.3
_LEAST = 1e-9  # a score that says something
_ASKED = 3  # encodings to choose from in a question
_DAMAGED = 10  # signs that are UTF-8 for each byte that is not: fewer come about by chance, in Chinese above all
_SHOWN = 3  # words that a sentence shows
_BETWEEN_WORDS = re.compile(rb'[\x00-\x1f,;"]+')  # none of these is a part of a sign of several bytes
_TextFile = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class Encoding:
    """The encoding of a text, and how it was found."""

    name: str  # as Python calls it
    words: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # some of the text in it, and in others as likely
    asked: bool = False  # whether the user said so

    def note(self, title: str) -> str:
        """What is said of a text that is not UTF-8; "" for one that is. title: what is read, such as a file's name."""
        if not self.words:
            return ""
        how = "read" if self.asked else "not in UTF-8; read"
        return f"{title}: {how} as {encoding_title(self.name)}, such as {_listed(self.words[self.name])}."

    def question(self, key: str, title: str, labeled_images: int) -> Question | None:
        """What is to be checked where another encoding is nearly as likely; None where there is none."""
        if len(self.words) < 2:
            return None
        ways = tuple(
            Interpretation(
                name, f"{_listed(words)}, in {encoding_title(name)}", labeled_images, {"answers": {key: name}}
            )
            for name, words in self.words.items()
        )
        return Question(key, f"{title}: In which encoding are its words right?", ways, self.name, self.asked)


UTF_8 = Encoding("utf-8")


def encoding_title(name: str) -> str:
    """An encoding in words.

    Example:
        >>> encoding_title("cp932")
        'cp932 (Japanese, Shift-JIS)'

    """
    return f"{name} ({ENCODINGS[name]})"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(repr(word) for word in words)


def check_encoding(name: str) -> str:
    """The name of an encoding as `ENCODINGS` has it; "" stays. Raises UnknownNameError.

    Example:
        >>> check_encoding("Shift-JIS"), check_encoding("windows-1251")
        ('cp932', 'cp1251')

    """
    if not name:
        return ""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):  # ValueError: a null character
        known = name
    known = _WIDER.get(known, known)
    if known not in ENCODINGS:
        raise UnknownNameError("encoding", name[:40], list(ENCODINGS))
    return known


def encoding_of_text(open_text: _TextFile, title: str, asked: str = "") -> Encoding:
    """The encoding of a file of text, which all of it can be decoded with.

    open_text opens the file at its start, and is called again for each look at it. asked: what the user says it is.
    Raises InvalidInputError naming `title` if there is no such encoding, or if the text is UTF-8 with damages;
    UnknownNameError for an encoding that nobody knows.
    """
    wanted = check_encoding(asked)
    with open_text() as file:
        start = file.read(4096)
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), "") or _unmarked_utf_16(start)
    if wanted and not _fitting(open_text, [wanted]):
        raise InvalidInputError(f"{title} is not in {encoding_title(wanted)}: choose another encoding.")
    if not wanted and marked and not _fitting(open_text, [marked]):
        raise InvalidInputError(f"{title} begins as {marked}, but does not go on so: save it again as UTF-8.")
    if marked and wanted in ("", "utf-8", marked):
        return Encoding(marked, asked=bool(wanted))
    if _fitting(open_text, ["utf-8"]):
        return _chosen(UTF_8, wanted, list(_words(open_text)) if wanted else [])
    line = 0 if wanted else _damaged_line(open_text)
    if line:
        raise InvalidInputError(
            f"{title} is UTF-8, but some bytes of line {line:,} are not: save it again as UTF-8, or name its encoding."
        )
    words = list(_words(open_text))
    fitting = [] if any(b"\0" in chunk for chunk in _chunks(open_text)) else _fitting(open_text, OF_TABLES)
    return _chosen(_most_likely(words, fitting, title, wanted), wanted, words)


def decoded_names(names: Sequence[bytes], title: str, asked: str = "") -> tuple[list[str], Encoding]:
    """Names that belong together as text in one encoding, and that encoding.

    Raises InvalidInputError naming `title` if there is none, or if they cannot be decoded with the one `asked` for;
    UnknownNameError for an encoding that nobody knows.
    """
    wanted = check_encoding(asked)
    joined = b"\n".join(names)
    if joined.isascii():
        return [raw.decode() for raw in names], UTF_8
    if wanted and not _is_text(joined, wanted):
        raise InvalidInputError(f"The names in {title} are not in {encoding_title(wanted)}: choose another encoding.")
    words = list(_different(part for raw in names for part in raw.split(b"/")))
    if _is_text(joined, "utf-8"):
        found = UTF_8
    else:
        found = _most_likely(words, [name for name in OF_NAMES if _is_text(joined, name)], title, wanted)
    found = _chosen(found, wanted, words)
    return [raw.decode(found.name) for raw in names], found


def _chosen(found: Encoding, wanted: str, words: Sequence[bytes]) -> Encoding:
    """What was found, or what the user wants instead; what was found stays to choose from."""
    if not wanted:
        return found
    if wanted == found.name:
        return replace(found, asked=True)
    others = {found.name: _some(words, found.name), **found.words}
    return Encoding(wanted, {wanted: _some(words, wanted), **others}, asked=True)


def _most_likely(words: Sequence[bytes], fitting: Sequence[str], title: str, wanted: str) -> Encoding:
    """The likeliest of the encodings that fit, and those that are nearly as likely.

    The measure is how often the signs follow each other in the languages that are written so (chardet), times the
    square of the share of letters among them. chardet rather than charset-normalizer: of 31 tables with a few short
    words it names 27 right, charset-normalizer 15.
    """
    if not fitting and not wanted:
        raise InvalidInputError(
            f"{title} is text in none of the known encodings: save it again as UTF-8, or name its encoding."
        )
    if not fitting:
        return Encoding(wanted, {wanted: _some(words, wanted)})
    text = b"\n".join(words)
    found = chardet.detect_all(text, ignore_threshold=True, include_encodings=fitting, compat_names=False)
    confidence = {str(entry["encoding"]): float(entry["confidence"]) for entry in found}
    score = {name: confidence.get(name, 0.0) * _letters(text.decode(name)) ** 2 for name in fitting}
    order = sorted(fitting, key=lambda name: (-score[name], fitting.index(name)))
    close = [name for name in order if name == order[0] or score[name] >= max(_CLOSE * score[order[0]], _LEAST)]
    different: dict[str, str] = {}  # what reads the same is the same to the user
    for name in close:
        different.setdefault(text.decode(name), name)
    return Encoding(order[0], {name: _some(words, name) for name in list(different.values())[:_ASKED]})


def _letters(text: str) -> float:
    """The share of letters and their marks among signs that are not ASCII."""
    signs = [sign for sign in text if sign > "\x7f"]
    return sum(unicodedata.category(sign)[0] in "LM" for sign in signs) / max(1, len(signs))


def _some(words: Sequence[bytes], encoding: str) -> tuple[str, ...]:
    """A few words for a sentence: names of files only where there is nothing else."""
    texts = [word.decode(encoding).strip() for word in words]
    plain = [text for text in texts if not re.search(r"[/\\.]", text)] or texts
    return tuple(text[:30] for text in plain[:_SHOWN])


def _unmarked_utf_16(start: bytes) -> str:
    """Every second byte of text in Latin letters is zero in UTF-16."""
    for name, zeros, others in (("utf-16-le", start[1::2], start[::2]), ("utf-16-be", start[::2], start[1::2])):
        if len(zeros) > 1 and zeros.count(0) > len(zeros) / 3 and not others.count(0):
            return name
    return ""


def _is_text(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _chunks(open_text: _TextFile) -> Iterator[bytes]:
    with open_text() as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    yield b""


def _fitting(open_text: _TextFile, names: Sequence[str]) -> list[str]:
    """The encodings in which all of a file is text: one look at it, in constant memory."""
    decoders = {name: codecs.getincrementaldecoder(name)() for name in names}
    for chunk in _chunks(open_text):
        for name in list(decoders):
            try:
                decoders[name].decode(chunk, final=not chunk)
            except UnicodeDecodeError:
                del decoders[name]
        if not decoders:
            break
    return list(decoders)


def _damaged_line(open_text: _TextFile) -> int:
    """The first line with bytes that are no UTF-8, if most of the rest that is not ASCII is; 0 if it is none at all."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = lines = first = 0
    for chunk in _chunks(open_text):
        text = decoder.decode(chunk, final=not chunk)
        escaped = re.search("[\udc80-\udcff]", text)
        if escaped and not first:
            first = lines + text.count("\n", 0, escaped.start()) + 1
        lines += text.count("\n")
        lost = len(re.findall("[\udc80-\udcff]", text))
        good, bad = good + sum(sign > "\x7f" for sign in text) - lost, bad + lost
    return first if good >= _DAMAGED * bad else 0


def _words(open_text: _TextFile) -> Iterator[bytes]:
    """The different words of a file that are not ASCII."""
    rest = b""

    def all_words() -> Iterator[bytes]:
        nonlocal rest
        for chunk in _chunks(open_text):
            *whole, rest = _BETWEEN_WORDS.split(rest + chunk)
            if len(rest) > _CHUNK:
                whole, rest = [*whole, rest], b""
            yield from whole
        yield rest

    return _different(all_words())


def _different(words: Iterable[bytes]) -> Iterator[bytes]:
    """Each word that is not ASCII once, as far as an encoding needs to be judged by them."""
    seen: set[bytes] = set()
    size = 0
    for word in words:
        if word.isascii() or word in seen:
            continue
        seen.add(word)
        size += len(word) + 1
        if size > _JUDGED:
            return
        yield word
