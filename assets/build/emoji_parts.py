"""Which emoji belongs to which part of the collection: the table by which leakage between them can be checked."""

from __future__ import annotations

from pathlib import Path

from assets.build.readers import EMOJI_SHARES, emoji_code_points
from engine.files import write_json

EMOJI_PARTS = Path(__file__).parent / "emoji-parts.json"


def write_emoji_parts() -> None:
    """Write the code points of each part, named as in the records of tasks and teachers."""
    write_json(EMOJI_PARTS, {f"code-points-{part}": " ".join(emoji_code_points(part)) for part in EMOJI_SHARES})
