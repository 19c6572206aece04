"""The errors a user may meet. Each message names the thing, its value, and the way out, in one sentence or two."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

LONGEST_NAME = 80  # letters of a name in a message: it may be anything that somebody wrote


class WorkbenchError(Exception):
    """Base of every error that is shown to a user as a sentence instead of a traceback."""


class UnknownNameError(WorkbenchError):
    """A task, teacher, method, metric, architecture or run that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__()
        self.kind, self._known = kind, sorted(known)
        self.name = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"

    def __str__(self) -> str:
        """The sentence. It is made when it is shown: to find the nearest of thousands of names takes a second, and many
        who ask for a name only try.
        """
        if self.args:  # somebody has put it in other words
            return super().__str__()
        kind, name, known = self.kind, self.name, self._known
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        if close:
            way_out = f"did you mean {' or '.join(close)}?"
        elif len(known) > 24:
            way_out = f"there are {len(known)}, such as {', '.join(known[:6])}."
        else:
            way_out = f"choose one of {', '.join(known)}." if known else f"there is no {kind} yet."
        return f"There is no {kind} named {name!r}: {way_out}"


class InvalidInputError(WorkbenchError):
    """A value, file, or combination of options that cannot be used as it is."""


class DamagedFileError(WorkbenchError):
    """A file whose content is not what its name, format or checksum promises."""


class TooFewLabelsError(InvalidInputError):
    """A metric or a method needs more labeled images, or more classes, than there are."""


class StorageError(WorkbenchError):
    """The workspace cannot be written or read: no space, no permission, or not there."""


class FullDiskError(StorageError):
    """No space is left, or a quota is used up. needed: bytes that `path` takes, as far as they are known."""

    def __init__(self, message: str, path: Path, needed: int | None = None) -> None:
        super().__init__(message)
        self.path, self.needed = path, needed


class QuotaError(WorkbenchError):
    """A visitor of a demo asked for more than one visitor may have."""


class UnavailableError(WorkbenchError):
    """Something outside this machine, or a device, is needed and cannot be had."""


class BusyError(WorkbenchError):
    """Someone else holds what was asked for, such as a device's queue."""


class CancelledError(WorkbenchError):
    """The user asked for the work to stop."""
