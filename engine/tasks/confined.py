"""Processes of their own for whatever reads a user's bytes: whatever these do to a parser, the program goes on.

Such a process reads one request after the other from its standard input, and answers on its standard output; both are
a header in JSON and bytes. It may not write files, nor take more memory than it is given; one that crashes, or is still
busy after the time allowed, is ended, and replaced when the next request comes.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.errors import DamagedFileError, InvalidInputError, StorageError, UnknownNameError, WorkbenchError

ROOT = Path(__file__).resolve().parents[2]
LONGEST_ANSWER = 1_500_000_000  # bytes
STARTING = 60.0  # s that a process may take to load its libraries on a busy machine
GIVE_UP = 10.0  # s beyond what is allowed: whoever asked has gone, and nobody else will end this process
Answer = tuple[dict[str, Any], bytes]


class DiedError(Exception):
    """The process crashed over a request."""


class TookTooLongError(Exception):
    """The process was still busy with a request after the time allowed, and was ended."""


class Confined:
    """One such process, running `main` of a module. Not to be shared between threads."""

    def __init__(self, module: str, *, memory: float, seconds: float) -> None:
        self._module, self._memory, self.seconds = module, memory, seconds
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, header: dict[str, Any], content: bytes = b"") -> Answer:
        """What it answers: a header and bytes. `header` says what to `do`, and the `name` of what is read.

        Raises the WorkbenchError that the request met there, DiedError or TookTooLongError.
        """
        process = self.start()
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError):  # it died while being told; what it left to read says so
                _write(process.stdin, header, content)
            answer, payload = _answer(process, time.monotonic() + self.seconds)
        except TimeoutError:
            self.close()
            raise TookTooLongError from None
        except (EOFError, ValueError, OSError):
            self.close()
            raise DiedError from None
        if "error" in answer:
            raise _error(str(answer.get("kind")), str(answer["error"]))
        return answer, payload

    def is_running(self) -> bool:
        """Whether there is a process that has answered so far."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> subprocess.Popen[bytes]:
        """The process, a new one if there is none."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from {self._module} import main; main()"
            settings = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"), "1")
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, str(int(self._memory)), str(self.seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **settings},
            )
            with suppress(TimeoutError, EOFError, ValueError, OSError):
                _answer(self._process, time.monotonic() + STARTING)  # its first word: it is ready
        return self._process

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


def _answer(process: subprocess.Popen[bytes], deadline: float) -> Answer:
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


_KINDS = {kind.__name__: kind for kind in (DamagedFileError, InvalidInputError, StorageError, UnknownNameError)}


def _error(kind: str, text: str) -> WorkbenchError:
    """The error that a process names, with its sentence as it is."""
    found = _KINDS.get(kind, DamagedFileError)
    error = found.__new__(found)
    error.args = (text,)
    return error


# What follows runs in the process.


def serve(does: Mapping[str, Callable[[dict[str, Any], bytes], Answer]], load: Callable[[], None]) -> None:
    """Answer requests until standard input ends; `load` is called while files may be written still."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not speak into the answers
    load()
    _confine(int(sys.argv[1]))
    _write(answers, {"ready": True}, b"")
    while len(sizes := requests.read(8)) == 8:
        header_size, size = struct.unpack("<II", sizes)
        header, content = json.loads(requests.read(header_size)), requests.read(size)
        _end_after(2 * float(sys.argv[2]) + GIVE_UP)
        try:
            answer, payload = does[header["do"]](header, content)
        except WorkbenchError as error:
            answer, payload = {"error": str(error), "kind": type(error).__name__}, b""
        except MemoryError:
            answer, payload = {"error": f"{header['name']} needs more memory than is allowed: make it smaller."}, b""
        except Exception as error:
            answer, payload = {"error": f"{header['name']} cannot be read ({type(error).__name__}): leave it out."}, b""
        _end_after(0)
        _write(answers, answer, payload)


def _end_after(seconds: float) -> None:
    """Let the system end this process then, even inside of a parser; 0 takes that back."""
    if sys.platform != "win32":
        signal.alarm(math.ceil(seconds))


def _confine(memory: int) -> None:
    """No files, no core dumps, so much memory."""
    if sys.platform == "win32":
        return
    import resource

    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a system may allow less, or not know the limit
            resource.setrlimit(limit, (value, value))
