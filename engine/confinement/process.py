"""Processes of their own for whatever reads a user's bytes: whatever these do to a parser, the program goes on.

Such a process reads one request after the other from its standard input, and answers on its standard output; both are
a header in JSON and bytes. Before the first one it gives up all that it does not need (`engine.confinement.lockdown`);
one that crashes, or is still busy after the time allowed, is ended, and replaced when the next request comes.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import site
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.confinement.lockdown import LAYERS, Protections, lock_down, stay_with_parent
from engine.errors import DamagedFileError, InvalidInputError, StorageError, UnknownNameError, WorkbenchError
from engine.installation import FOLDER, importing

LONGEST_ANSWER = 1_500_000_000  # bytes
STARTING = 60.0  # s that a process may take to load its libraries on a busy machine
GIVE_UP = 10.0  # s beyond what is allowed: whoever asked has gone, and nobody else will end this process
Answer = tuple[dict[str, Any], bytes]
# What reading an answer raises that is none of those that were agreed on, as from a process that its bytes took over.
NONSENSE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)
# All that such a process sees of the environment. OpenBLAS computes wrongly on some machines without its own two.
PASSED_ON = (
    *("PATH", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "SYSTEMROOT", "WINDIR"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONNOUSERSITE"),
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"),
)
SET = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # Landlock does not bind a thread that runs already
} | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"), "1")

USER_PACKAGES = "PYTHONUSERBASE"  # said, since it is found by the name of a home that is not passed on


class DiedError(Exception):
    """The process crashed over a request."""


class TookTooLongError(Exception):
    """The process was still busy with a request after the time allowed, and was ended."""


class Confined:
    """One such process, running a function that calls `serve`, named as "module:function".

    memory: bytes; seconds: for one request; reads: files and folders that it may read. On Linux it ends with the thread
    that started it, and is started anew when another one asks. Not to be shared between threads.
    """

    def __init__(self, function: str, *, memory: float, seconds: float, reads: Sequence[Path] = ()) -> None:
        self._module, _, self._function = function.partition(":")
        self._memory, self.seconds = memory, seconds
        self._reads = [os.path.realpath(path) for path in reads if "\0" not in str(path)]
        self._process: subprocess.Popen[bytes] | None = None
        self.protections = Protections()  # of the last one that was started

    def ask(self, header: dict[str, Any], content: bytes = b"") -> Answer:
        """What it answers: a header and bytes. `header` says what to `do`, and the `name` of what is read.

        Raises the WorkbenchError that the request met there, DiedError or TookTooLongError.
        """
        process = self.start()
        try:
            deadline = time.monotonic() + self.seconds
            with suppress(BrokenPipeError):  # it died while being told; what it left to read says so
                _send(process, header, content, deadline)
            answer, payload = _answer(process, deadline)
        except TimeoutError:
            self.close()
            raise TookTooLongError from None
        except (EOFError, ValueError, OSError):
            self.close()
            raise DiedError from None
        return _without_error(answer, payload)

    def is_running(self) -> bool:
        """Whether there is a process that has answered so far."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> subprocess.Popen[bytes]:
        """The process, a new one if there is none."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            code = f"from {self._module} import {self._function} as main"
            bounds = {"memory": int(self._memory), "seconds": self.seconds, "reads": self._reads, "parent": os.getpid()}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", f"{code}; main()", json.dumps(bounds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
            assert self._process.stdin is not None
            if sys.platform != "win32":
                os.set_blocking(self._process.stdin.fileno(), False)
            with suppress(TimeoutError, EOFError, ValueError, OSError, KeyError, TypeError):
                ready, _ = _answer(self._process, time.monotonic() + STARTING)  # its first word
                self.protections = Protections(**ready["ready"])
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


def _environment() -> dict[str, str]:
    passed_on = {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("LC_")}
    return {**importing(passed_on), **SET, USER_PACKAGES: site.getuserbase()}


def _send(process: subprocess.Popen[bytes], header: dict[str, Any], content: bytes, deadline: float) -> None:
    """Write a request, to a process that may not be willing to read it."""
    assert process.stdin is not None
    descriptor = process.stdin.fileno()
    for part in (_packed(header, content), content):
        left = memoryview(part)
        while left:
            _, ready, _ = select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            left = left[os.write(descriptor, left) :]


def _answer(process: subprocess.Popen[bytes], deadline: float) -> Answer:
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    header_size, size = struct.unpack("<II", _read_exactly(descriptor, 8, deadline))
    if header_size + size > LONGEST_ANSWER:
        raise ValueError("too long an answer")
    try:
        answer = json.loads(_read_exactly(descriptor, header_size, deadline))
    except RecursionError as error:
        raise ValueError("no answer") from error
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


def _packed(header: dict[str, Any], payload: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<II", len(text), len(payload)) + text


_KINDS = {kind.__name__: kind for kind in (DamagedFileError, InvalidInputError, StorageError, UnknownNameError)}


def _without_error(answer: dict[str, Any], payload: bytes) -> Answer:
    """An answer as it is. Raises the WorkbenchError that it tells of."""
    if "error" in answer:
        raise _error(str(answer.get("kind")), str(answer["error"]))
    return answer, payload


def _error(kind: str, text: str) -> WorkbenchError:
    """The error that a process names, with its sentence as it is."""
    found = _KINDS.get(kind, DamagedFileError)
    error = found.__new__(found)
    error.args = (text,)
    return error


def libraries() -> list[Path]:
    """Folders of Python's own library, of the installed packages and of this one, for a process that loads more later.

    Not the project's folder, which may hold secrets of the sign-in.
    """
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")}
    return [*map(Path, sorted(places)), FOLDER / "engine"]


def protections() -> dict[str, Protections]:
    """What holds on this system in processes that "decode images", which are given all they read, and in those that
    "parse archives and tables", which read a source: by starting one of each.
    """
    reads = {"decode images": [], "parse archives and tables": [FOLDER / "engine" / "confinement"]}
    return {what: _tried(paths) for what, paths in reads.items()}


def _tried(reads: Sequence[Path]) -> Protections:
    process = Confined(f"{__name__}:_wait", memory=1e9, seconds=1.0, reads=reads)
    try:
        process.start()
        return process.protections
    finally:
        process.close()


# What follows runs in the process.


def _wait() -> None:
    serve({}, lambda: None)


def serve(
    does: Mapping[str, Callable[[dict[str, Any], bytes], Answer]],
    load: Callable[[], None],
    layers: Collection[str] = LAYERS,
) -> None:
    """Answer requests until standard input ends; `load` imports all that they need, while files may be read still."""
    bounds = json.loads(sys.argv[1])
    stay_with_parent(bounds["parent"])
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not speak into the answers
    load()
    held = lock_down(bounds["parent"], bounds["memory"], bounds["reads"], layers)
    _write(answers, {"ready": asdict(held)}, b"")
    while len(sizes := requests.read(8)) == 8:
        header_size, size = struct.unpack("<II", sizes)
        header, content = json.loads(requests.read(header_size)), requests.read(size)
        _end_after(2 * bounds["seconds"] + GIVE_UP)
        answer, payload = _answered(does, header, content)
        _end_after(0)
        _write(answers, answer, payload)


def _answered(
    does: Mapping[str, Callable[[dict[str, Any], bytes], Answer]], header: dict[str, Any], content: bytes
) -> Answer:
    """What is answered to one request: where it meets an error, that error's sentence."""
    try:
        return does[header["do"]](header, content)
    except WorkbenchError as error:
        return {"error": str(error), "kind": type(error).__name__}, b""
    except MemoryError:
        return {"error": f"{header['name']} needs more memory than is allowed: make it smaller."}, b""
    except Exception as error:
        return {"error": f"{header['name']} cannot be read ({type(error).__name__}): leave it out."}, b""


def _write(stream: Any, header: dict[str, Any], payload: bytes) -> None:
    stream.write(_packed(header, payload))
    stream.write(payload)
    stream.flush()


def _end_after(seconds: float) -> None:
    """Let the system end this process then, even inside of a parser; 0 takes that back."""
    if sys.platform != "win32":
        signal.alarm(math.ceil(seconds))
