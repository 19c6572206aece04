"""What a process that reads a user's bytes gives up before it sees the first of them, layer by layer.

A layer that a system lacks is left out, and what the others promise holds: `Protections.denied` says what that is.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.confinement import landlock, linux, seccomp

LAYERS = ("landlock", "seccomp", "own user", "no descriptors")
NOBODY = 65_534  # the user and the group that own nothing, on every Linux
ACTS = {  # what bytes that take over their parser could want to do
    "read": "read other files",
    "write": "write or shorten files",
    "remove": "rename or remove files",
    "connect": "open connections",
    "start": "start programs",
    "signal": "signal or trace other processes",
}


@dataclass(frozen=True)
class Protections:
    """Which layers hold in a process."""

    landlock: int = 0  # the kernel's version of it; 0 for none
    seccomp: bool = False
    own_user: bool = False  # it runs as nobody, since the program runs as root
    opens_nothing: bool = False  # no file, no socket, no pipe: it is given all that it reads
    dies_with_parent: bool = False
    memory: bool = False  # limited

    def denied(self) -> tuple[str, ...]:
        """Keys of `ACTS` that these layers deny, whatever the files' own modes are."""
        by = {
            "read": self.opens_nothing or self.landlock,
            "write": self.seccomp or self.landlock >= landlock.TRUNCATE_SINCE,
            "remove": self.seccomp or self.landlock,
            "connect": self.seccomp or self.opens_nothing,
            "start": self.seccomp,
            "signal": self.seccomp or self.own_user or self.landlock >= landlock.SCOPES_SINCE,
        }
        return tuple(act for act in ACTS if by[act])

    def sentence(self, what: str) -> str:
        """What is denied, and by what, to be shown to whoever runs the program; `what` they do, such as "decode"."""
        denied = [ACTS[act] for act in self.denied()]
        left = [ACTS[act] for act in ACTS if act not in self.denied()]
        layers = [
            *([f"Landlock {self.landlock}"] if self.landlock else []),
            *(["seccomp"] if self.seccomp else []),
            *(["a user of its own"] if self.own_user else []),
            *(["nothing can be opened"] if self.opens_nothing else []),
            *(["a limit of memory"] if self.memory else []),
        ]
        text = f"Processes that {what}" + (f" cannot {_listed(denied)}" if denied else " are confined by nothing")
        text += f" ({', '.join(layers)})." if layers else "."
        return text + (f" This system does not keep them from these: {_listed(left, 'and')}." if left else "")


def _listed(words: Sequence[str], last: str = "or") -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def as_json(found: Protections) -> dict[str, Any]:
    """Layers, and what is denied by them."""
    return {**asdict(found), "denied": list(found.denied())}


def stay_with_parent(parent: int) -> bool:
    """Let this process end as soon as `parent`, the process that started it, does; whether the system can do that."""
    if sys.platform != "linux":
        return False
    with suppress(OSError, AttributeError):
        linux.die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:  # it has ended already
            os._exit(1)
        return True
    return False


def lock_down(parent: int, memory: int, reads: Sequence[str], layers: Collection[str] = LAYERS) -> Protections:
    """Give up all that this process does not need, for good, and say what holds from now on.

    memory: bytes; reads: files and folders (with all that is in them) that it may read, none if it is given all it
    needs; layers: those of `LAYERS` to use. Everything it will use must be imported before.
    """
    limited = _limit(memory)
    version, filtered, nobody = 0, False, False
    if sys.platform == "linux":
        alone = _is_one_thread()
        with suppress(OSError, AttributeError):
            linux.gain_no_privileges()
        if "landlock" in layers:
            with suppress(OSError, AttributeError):
                version = landlock.restrict(reads)
                version = version if alone else 0  # it binds no thread that runs already, so nothing is promised
        if "own user" in layers:
            nobody = _become_nobody(may_read=bool(reads))
    bound = stay_with_parent(parent)  # again, since a change of the user takes it back
    closed = not reads and "no descriptors" in layers and _open_nothing()
    if "seccomp" in layers:
        with suppress(OSError, AttributeError):
            filtered = seccomp.restrict(reads_files=bool(reads))
    return Protections(version, filtered, nobody, closed or (filtered and not reads), bound, limited)


def _is_one_thread() -> bool:
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return True  # without /proc nothing says otherwise, and no library of ours starts one when it is loaded


def _become_nobody(*, may_read: bool) -> bool:
    """Change from root to a user who owns nothing; whether that could be done.

    `may_read`: keep the right to read files whatever their modes are, since uploads of a workspace are root's own.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    changed = False
    with suppress(OSError, AttributeError):
        linux.keep_capabilities()
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        changed = True
    with suppress(OSError, AttributeError):  # where there is no other user, as in some containers, rights go at least
        linux.keep_only(linux.CAN_READ_ANY_FILE if may_read else 0)
    return changed


def _limit(memory: int) -> bool:
    """No file that grows, no core dumps, so much memory; whether memory is limited."""
    if sys.platform == "win32":
        return False
    import resource

    done = False
    for limit, value in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, memory)):
        with suppress(ValueError, OSError):  # a system may allow less, or not know the limit
            resource.setrlimit(limit, (value, value))
            done = limit == resource.RLIMIT_AS
    return done


def _open_nothing() -> bool:
    """No descriptor beside those that are open: no file, no socket, no pipe; whether the system has that limit."""
    if sys.platform == "win32":
        return False
    import resource

    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        return True
    return False
