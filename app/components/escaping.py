"""Text from files and users, so that it is shown as it is: in Markdown, on a badge, in a chart.

Streamlit's Markdown finds more than Markdown in a text: addresses, emoji, icons and arrows also where every mark is
escaped. A word joiner (U+2060), which is invisible and has no width, keeps their parts from being seen together.
"""

from __future__ import annotations

import re

JOINER = "\u2060"
_MARKS = frozenset("\\`*_{}[]<>()#+!|$~:^&")
# After each match stands a joiner: addresses, emoji and icons.
_FOUND = re.compile(r"(?:https?|ftp|mailto|xmpp)(?=:)|www(?=\.)|[\w.+-](?=@)|:(?=[\w+-]+(?:/\w+)?:)", re.IGNORECASE)
_ARROWS = re.compile(r"<->|->|<-|-{2,}|>=|<=|~=")  # which Streamlit draws as one sign
# What makes a line a rule, a heading, a list or a block of code by how it begins.
_BEGINNING = re.compile(r"^[ \t]*(?:(?P<number>\d{1,9})(?=\.(?:\s|$))|(?P<mark>(?=[-=])))|^[ \t]+", re.MULTILINE)


def escape(text: str) -> str:
    """`text` as Markdown that shows it literally; without the space around it, which would end a bold stretch."""
    return _escaped(text, _MARKS)


def escape_badge(text: str) -> str:
    """`text` as the label of a badge, whose brackets Streamlit escapes itself."""
    return _escaped(text, _MARKS - frozenset("[]"))


def escape_chart(text: str) -> str:
    """`text` as Plotly shows it literally: it finds HTML everywhere, and the names of values in a hover's template."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "%&#123;")


def _escaped(text: str, marks: frozenset[str]) -> str:
    joined = _FOUND.sub(lambda found: found[0] + JOINER, text.strip())
    joined = _ARROWS.sub(lambda found: JOINER.join(found[0]), joined)
    escaped = "".join(f"\\{character}" if character in marks else character for character in joined)
    return _BEGINNING.sub(_plain_beginning, escaped)


def _plain_beginning(found: re.Match[str]) -> str:
    listed = found["number"] is not None or found["mark"] is not None
    return f"{found['number'] or ''}\\" if listed else ""
