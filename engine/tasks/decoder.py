"""Decoding in processes of their own: whatever hostile bytes do to a decoder, the program goes on and names the file.

A decoder process reads one request after the other from its standard input, and answers on its standard output; both
are a header in JSON and bytes. It may not write files, nor take more memory than the settings allow; one that crashes,
or is still busy after the time allowed, is ended and replaced.
"""

from __future__ import annotations

import base64
import io
import json
import math
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from engine.errors import DamagedFileError, InvalidInputError, WorkbenchError
from engine.tasks.pixels import convert
from engine.tasks.reading import Reading, Values, reading_as_json, reading_from, values_from
from engine.tasks.settings import ImportSettings

ROOT = Path(__file__).resolve().parents[2]
LONGEST_ANSWER = 1_500_000_000  # bytes
THUMBNAIL = 8  # pixels; small copies tell whether images whose hashes are alike look alike
_Item = TypeVar("_Item")


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


class Decoder:
    """One decoder process. Not to be shared between threads."""

    def __init__(self, settings: ImportSettings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def look(self, content: bytes, name: str, reading: Reading) -> Looked:
        """Decode one image. Raises DamagedFileError or InvalidInputError naming it; a crash is one of them."""
        header = {"do": "look", "name": name, "reading": reading_as_json(reading), "largest": self._settings.pixels}
        answer, payload = self._ask(header, content, name)
        return Looked(
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

    def matlab_lists(self, content: bytes, name: str) -> dict[str, list[Any]]:
        """The lists in a MATLAB file. Raises as `look`."""
        lists: dict[str, list[Any]] = self._ask({"do": "matlab", "name": name}, content, name)[0]["lists"]
        return lists

    def _ask(self, header: dict[str, Any], content: bytes, name: str) -> tuple[dict[str, Any], bytes]:
        process = self._running()
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError):  # it died while being told; what it left to read says so
                _write(process.stdin, header, content)
            answer, payload = self._answer(process, time.monotonic() + self._settings.decode_seconds)
        except TimeoutError:
            self.close()
            raise DamagedFileError(
                f"{name} was still being decoded after {self._settings.decode_seconds:g} s and is left out: make it "
                "smaller, or raise the setting decode_seconds."
            ) from None
        except (EOFError, ValueError, OSError):
            self.close()
            raise DamagedFileError(
                f"{name} made its decoder crash and is left out: save it again, or replace it."
            ) from None
        if "error" in answer:
            kind = InvalidInputError if answer.get("kind") == "InvalidInputError" else DamagedFileError
            raise kind(str(answer["error"]))
        return answer, payload

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from engine.tasks.decoder import serve; serve()"
            settings = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"), "1")
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, str(int(self._settings.decode_bytes)), str(self._settings.decode_seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **settings},
            )
            with suppress(TimeoutError, EOFError, ValueError, OSError):
                self._answer(self._process, time.monotonic() + STARTING)  # its first word: it is ready
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], deadline: float) -> tuple[dict[str, Any], bytes]:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        header_size, size = struct.unpack("<II", _read_exactly(descriptor, 8, deadline))
        if header_size + size > LONGEST_ANSWER:
            raise ValueError("too long an answer")
        answer = json.loads(_read_exactly(descriptor, header_size, deadline))
        payload = _read_exactly(descriptor, size, deadline)
        if not isinstance(answer, dict):
            raise ValueError("no answer")
        return answer, payload

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()


STARTING = 60.0  # s that a decoder may take to load its libraries on a busy machine


def _read_exactly(descriptor: int, size: int, deadline: float) -> bytes:
    chunks = []
    while size:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        chunk = os.read(descriptor, min(size, 1 << 20))
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _write(stream: Any, header: dict[str, Any], payload: bytes) -> None:
    text = json.dumps(header).encode()
    stream.write(struct.pack("<II", len(text), len(payload)) + text)
    stream.write(payload)
    stream.flush()


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

    def look_at(
        self, items: Iterable[_Item], read: Callable[[_Item], tuple[bytes, str]], reading: Reading
    ) -> Iterator[tuple[_Item, bytes, Looked | WorkbenchError]]:
        """(item, its bytes, what was seen or why it was not) of each item, in order.

        read(item) gives content and name, and is called in this thread: archives are read from one place.
        """
        waiting: deque[tuple[_Item, bytes, Future[Looked | WorkbenchError]]] = deque()
        for item in items:
            try:
                content, name = read(item)
            except WorkbenchError as error:
                refused: Future[Looked | WorkbenchError] = Future()
                refused.set_result(error)
                waiting.append((item, b"", refused))
            else:
                waiting.append((item, content, self._pool.submit(self._look, content, name, reading)))
            if len(waiting) >= 2 * self.settings.decoders + 2:
                yield _settled(waiting.popleft())
        while waiting:
            yield _settled(waiting.popleft())

    def matlab_lists(self, content: bytes, name: str) -> dict[str, list[Any]]:
        """The lists in a MATLAB file, read in a decoder process. Raises DamagedFileError."""
        return self._pool.submit(lambda: self._mine().matlab_lists(content, name)).result()

    def _look(self, content: bytes, name: str, reading: Reading) -> Looked | WorkbenchError:
        try:
            return self._mine().look(content, name, reading)
        except WorkbenchError as error:
            return error

    def _mine(self) -> Decoder:
        if not hasattr(self._of_thread, "decoder"):
            self._of_thread.decoder = Decoder(self.settings)
            self._all.append(self._of_thread.decoder)
        decoder: Decoder = self._of_thread.decoder
        return decoder


def _settled(
    entry: tuple[_Item, bytes, Future[Looked | WorkbenchError]],
) -> tuple[_Item, bytes, Looked | WorkbenchError]:
    item, content, future = entry
    return item, content, future.result()


# What follows runs in the decoder process.


def serve() -> None:
    """Answer requests until standard input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not speak into the answers
    _load_libraries()
    _confine(int(sys.argv[1]))
    _write(answers, {"ready": True}, b"")
    while len(sizes := requests.read(8)) == 8:
        header_size, size = struct.unpack("<II", sizes)
        header, content = json.loads(requests.read(header_size)), requests.read(size)
        _end_after(2 * float(sys.argv[2]) + GIVE_UP)
        try:
            answer, payload = _DOES[header["do"]](header, content)
        except (DamagedFileError, InvalidInputError) as error:
            answer, payload = {"error": str(error), "kind": type(error).__name__}, b""
        except Exception as error:
            answer, payload = {"error": f"{header['name']} cannot be read ({type(error).__name__}): leave it out."}, b""
        _end_after(0)
        _write(answers, answer, payload)


GIVE_UP = 10.0  # s beyond what is allowed: whoever asked has gone, and nobody else will end this process


def _end_after(seconds: float) -> None:
    """Let the system end this process then, even inside of a decoder; 0 takes that back."""
    if sys.platform != "win32":
        signal.alarm(math.ceil(seconds))


def _load_libraries() -> None:
    """Before the process may write nothing, since a library may keep a cache of its own."""
    import imagehash
    import pydicom.pixels
    import scipy.fftpack
    import scipy.io
    import tifffile

    assert all((imagehash, pydicom, scipy, tifffile))
    from PIL import Image

    import engine.tasks.dicom

    Image.init()
    assert engine.tasks.dicom


def _confine(memory: int) -> None:
    """No files, no core dumps, so much memory."""
    if sys.platform == "win32":
        return
    import resource

    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a system may allow less, or not know the limit
            resource.setrlimit(limit, (value, value))


def _look(header: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    import imagehash
    from PIL import Image

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


def _matlab(header: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    import numpy as np
    from scipy.io import loadmat

    lists: dict[str, list[Any]] = {}
    for key, value in loadmat(io.BytesIO(content)).items():
        if isinstance(value, np.ndarray) and not key.startswith("__"):
            lists[key] = [_plain(entry) for entry in value.ravel().tolist()]
    return {"lists": lists}, b""


def _plain(value: Any) -> Any:
    """A number or a text, out of the arrays that MATLAB wraps them in."""
    while hasattr(value, "ravel"):
        flat = value.ravel().tolist()
        value = flat[0] if flat else ""
    return value if isinstance(value, int | float | str) else str(value)


_DOES: dict[str, Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]] = {"look": _look, "matlab": _matlab}
