"""Decoding in processes of their own: hostile bytes may crash a decoder, and the program names the file and goes on."""

from __future__ import annotations

import base64
import io
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.confinement import NONSENSE, Answer, Confined, DiedError, TookTooLongError, serve
from engine.errors import DamagedFileError, StorageError, WorkbenchError
from engine.images.converting import convert
from engine.images.preload import preload
from engine.images.reading import Reading, Values, reading_as_json, reading_from, values_from
from engine.images.rendering import view_at
from engine.images.views import WHOLE, render, square
from engine.settings import ImportSettings

THUMBNAIL = 8  # pixels; small copies tell whether images whose hashes are alike look alike
_Item = TypeVar("_Item")
_Seen = TypeVar("_Seen")


@dataclass(frozen=True)
class Looked:
    """What a decoder says of one image."""

    width: int
    height: int
    steps: tuple[str, ...]
    patient: str
    phash: int  # 64 bits, perceptual
    small: bytes  # RGB at 8 × 8, 192 bytes
    stored: bytes | None  # the image as PNG, where its own bytes are not to be stored
    channels: int = 3  # that the file has to choose from
    values: Values | None = None  # of a file with more than 8 bits


@dataclass(frozen=True)
class View:
    """What a network is to see of an image."""

    size: int  # pixels, square
    resize: str  # how an image becomes square
    thumbnail: int = 0  # pixels of the longer side of a small copy for people; 0 = none


@dataclass(frozen=True)
class Viewed:
    """An image as a network sees it, which is as a task's training images are seen."""

    pixels: NDArray[np.uint8]  # [S, S, 3]
    thumbnail: bytes  # JPEG; empty where none was asked for


class Decoder:
    """One decoder process. Not to be shared between threads."""

    def __init__(self, settings: ImportSettings) -> None:
        self._settings = settings
        self.process = Confined(f"{__name__}:main", memory=settings.decode_bytes, seconds=settings.decode_seconds)

    def look(self, content: bytes, name: str, reading: Reading) -> Looked:
        """Decode one image. Raises DamagedFileError or InvalidInputError naming it; a crash is one of them."""
        return self._ask({"do": "look"}, content, name, reading, _looked)

    def view(self, content: bytes, name: str, reading: Reading, view: View) -> Viewed:
        """Decode one image and render all of it. Raises as `look`."""

        def viewed(answer: Mapping[str, Any], payload: bytes) -> Viewed:
            length = 3 * view.size**2
            pixels = np.frombuffer(payload, np.uint8, length).reshape(view.size, view.size, 3)
            return Viewed(pixels, payload[length:])

        return self._ask({"do": "view", "view": asdict(view)}, content, name, reading, viewed)

    def _ask(
        self,
        what: Mapping[str, Any],
        content: bytes,
        name: str,
        reading: Reading,
        understand: Callable[[Mapping[str, Any], bytes], _Seen],
    ) -> _Seen:
        header = {**what, "name": name, "reading": reading_as_json(reading), "largest": self._settings.pixels}
        try:
            return understand(*self.process.ask(header, content))
        except TookTooLongError:
            raise DamagedFileError(
                f"{name} was still being decoded after {self.process.seconds:g} s and is left out: make it "
                "smaller, or raise the setting decode_seconds."
            ) from None
        except (DiedError, *NONSENSE):
            self.close()
            raise DamagedFileError(
                f"{name} made its decoder crash and is left out: save it again, or replace it."
            ) from None

    def close(self) -> None:
        """End the process."""
        self.process.close()


def _looked(answer: Mapping[str, Any], payload: bytes) -> Looked:
    """What a decoder answered. Raises one of `NONSENSE`."""
    found = Looked(
        width=int(answer["width"]),
        height=int(answer["height"]),
        steps=tuple(str(step) for step in answer["steps"]),
        patient=str(answer["patient"]),
        phash=int(answer["phash"], 16),
        small=base64.b64decode(answer["small"]),
        stored=payload or None,
        channels=int(answer["channels"]),
        values=values_from(answer["values"]),
    )
    if min(found.width, found.height) < 1 or not 0 <= found.phash < 2**64 or len(found.small) != 3 * THUMBNAIL**2:
        raise ValueError("no answer")
    return found


class Decoders:
    """Several decoder processes, side by side, for a stream of images in constant memory. A context manager."""

    def __init__(self, settings: ImportSettings) -> None:
        self.settings = settings
        self._pool = ThreadPoolExecutor(settings.decoders, thread_name_prefix="decoder")
        self._of_thread = threading.local()
        self._all: list[Decoder] = []

    def __enter__(self) -> Decoders:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        for decoder in self._all:
            decoder.close()

    def start(self) -> None:
        """Let the first process load its libraries meanwhile."""
        self._pool.submit(lambda: self._mine().process.start())

    def look_at(
        self, items: Iterable[_Item], read: Callable[[_Item], tuple[bytes, str]], reading: Reading
    ) -> Iterator[tuple[_Item, bytes, Looked | WorkbenchError]]:
        """(item, its bytes, what was seen or why it was not) of each item, in order.

        read(item) gives content and name, and is called in this thread: archives are read from one place. Raises the
        StorageError that it raises, which no further item would be spared; its other errors are of that item.
        """
        return self._each(items, read, lambda content, name: self._mine().look(content, name, reading))

    def view_each(
        self, items: Iterable[_Item], read: Callable[[_Item], tuple[bytes, str]], reading: Reading, view: View
    ) -> Iterator[tuple[_Item, bytes, Viewed | WorkbenchError]]:
        """As `look_at`, with each image as a network sees it."""
        return self._each(items, read, lambda content, name: self._mine().view(content, name, reading, view))

    def _each(
        self,
        items: Iterable[_Item],
        read: Callable[[_Item], tuple[bytes, str]],
        work: Callable[[bytes, str], _Seen],
    ) -> Iterator[tuple[_Item, bytes, _Seen | WorkbenchError]]:
        waiting: deque[tuple[_Item, bytes, Future[_Seen | WorkbenchError]]] = deque()

        def refusals_too(content: bytes, name: str) -> _Seen | WorkbenchError:
            try:
                return work(content, name)
            except WorkbenchError as error:
                return error

        for item in items:
            try:
                content, name = read(item)
            except StorageError:
                raise
            except WorkbenchError as error:
                refused: Future[_Seen | WorkbenchError] = Future()
                refused.set_result(error)
                waiting.append((item, b"", refused))
            else:
                waiting.append((item, content, self._pool.submit(refusals_too, content, name)))
            if len(waiting) >= 2 * self.settings.decoders + 2:
                yield _settled(waiting.popleft())
        while waiting:
            yield _settled(waiting.popleft())

    def _mine(self) -> Decoder:
        if not hasattr(self._of_thread, "decoder"):
            self._of_thread.decoder = Decoder(self.settings)
            self._all.append(self._of_thread.decoder)
        decoder: Decoder = self._of_thread.decoder
        return decoder


def _settled(
    entry: tuple[_Item, bytes, Future[_Seen | WorkbenchError]],
) -> tuple[_Item, bytes, _Seen | WorkbenchError]:
    item, content, future = entry
    return item, content, future.result()


# What follows runs in the decoder process.


def main() -> None:
    """Decode what is asked for, until standard input ends."""
    serve({"look": _look, "view": _view}, _load)


def _load() -> None:
    """Import all that decoding may need, but nothing that needs a network."""
    # pydicom imports this to download examples, which takes an eighth of the time to start.
    cast(dict[str, Any], sys.modules).setdefault("requests", None)
    preload()


def _look(header: dict[str, Any], content: bytes) -> Answer:
    import imagehash

    found = convert(content, header["name"], reading_from(header["reading"]), header["largest"])
    image = found.image
    payload = b""
    if not found.keep:
        stream = io.BytesIO()
        image.save(stream, "PNG", compress_level=3)
        payload = stream.getvalue()
    medium = image.resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=3.0)
    small = medium.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    answer = {
        "width": image.width,
        "height": image.height,
        "steps": list(found.steps),
        "patient": found.patient,
        "phash": str(imagehash.phash(medium)),
        "small": base64.b64encode(small.tobytes()).decode(),
        "channels": found.channels,
        "values": None if found.values is None else asdict(found.values),
    }
    return answer, payload


def _view(header: dict[str, Any], content: bytes) -> Answer:
    """The pixels that training would have: of the file itself where a task keeps it, else of what it would keep."""
    found = convert(content, header["name"], reading_from(header["reading"]), header["largest"])
    view, whole = View(**header["view"]), np.array(WHOLE, dtype=np.float32)
    if found.keep:
        pixels = view_at(content, header["name"], [view.size], whole, view.resize)[view.size]
    else:
        pixels = render(square(found.image, view.resize), whole, view.size)
    return {}, pixels.tobytes() + (_thumbnail(found.image, view.thumbnail) if view.thumbnail else b"")


def _thumbnail(image: Image.Image, side: int) -> bytes:
    """A JPEG of at most `side` pixels, made of a copy: to save what it read itself, Pillow looks for its file."""
    share = min(1.0, side / max(image.size))
    size = (max(1, round(share * image.width)), max(1, round(share * image.height)))
    stream = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0).save(stream, "JPEG", quality=80)
    return stream.getvalue()
