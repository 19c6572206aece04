"""Lanes: jobs of one lane run one after the other, lanes run beside each other. A lane is no device.

A student trains in the lane of its device and may take hours. Somebody sits before a ranking or a map and waits, so
that such work has a lane of its own, whichever device it computes on; so have imports.
"""

from __future__ import annotations

INTERACTIVE = "interactive"  # short work that somebody waits for
IMPORT = "import"  # what a user brings: images, teachers

# Jobs of version 0.1 name no lane, but a device that was one for imports. Their kinds say the rest.
_DEVICES_BEFORE = ("import", "intake")
_INTERACTIVE_BEFORE = ("look", "panel", "map", "speed")


def lane_of_device(device: str) -> str:
    """The lane of what computes on `device` for long: of the first of its kind where the name does not say which."""
    return "cuda:0" if device == "cuda" else device


def lane_before(kind: str, device: str) -> str:
    """The lane of a job whose record names none, as those of version 0.1."""
    if device in _DEVICES_BEFORE:
        return IMPORT
    return INTERACTIVE if kind in _INTERACTIVE_BEFORE else lane_of_device(device)
