"""Lanes: jobs of one lane run one after the other, lanes run beside each other. A lane is no device.

A student trains in the lane of its device and may take hours. Somebody sits before a ranking or a map and waits, so
that such work has a lane of its own, whichever device it computes on; so have imports. Each card has a lane. A job that
asks for any card waits in the lane "cuda", from which the lanes of all cards take what comes first.
"""

from __future__ import annotations

from engine.workspace import Workspace

INTERACTIVE = "interactive"  # short work that somebody waits for
IMPORT = "import"  # what a user brings: images, teachers
ANY_CARD = "cuda"  # the line of jobs that ask for a card, whichever; no lane works it off alone
FIRST_CARD = "cuda:0"

# Jobs of version 0.1 name no lane, but a device that was one for imports. Their kinds say the rest.
_DEVICES_BEFORE = ("import", "intake")
_INTERACTIVE_BEFORE = ("look", "panel", "map", "speed")


def is_held(workspace: Workspace, lane: str) -> bool:
    """Whether nothing that waits in a lane begins, since the user has paused the queue. What somebody waits for, such
    as a ranking, and imports go on.
    """
    return lane not in (INTERACTIVE, IMPORT) and workspace.paused.exists()


def sources(lane: str) -> tuple[str, ...]:
    """What is worked off in a lane: the jobs that name it, and in a card's those that ask for any card."""
    return (lane, ANY_CARD) if is_card(lane) else (lane,)


def is_card(lane: str) -> bool:
    """Whether a lane is that of a card."""
    return lane.startswith(f"{ANY_CARD}:")


def lane_known(kind: str, device: str, lane: str) -> str:
    """The lane of a job as its record names it. One that asked for any card was once written down for the first one."""
    if not lane:
        return lane_before(kind, device)
    return ANY_CARD if (lane, device) == (FIRST_CARD, ANY_CARD) else lane


def lane_before(kind: str, device: str) -> str:
    """The lane of a job whose record names none, as those of version 0.1."""
    if device in _DEVICES_BEFORE:
        return IMPORT
    return INTERACTIVE if kind in _INTERACTIVE_BEFORE else device
