"""HTML and SVG in which every text is shown as it is: what is not `Html` is escaped.

tag("p", "5 < 6", tag("b", "!"))  ->  <p>5 &lt; 6<b>!</b></p>
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable, Sequence

from PIL import Image

from engine.wording import NO_BREAK

NOT_KNOWN = "–"
VOID = ("img", "meta")  # what has no end
_BOLD, _ITALIC = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"\*(.+?)\*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # which no HTML may hold


class Html(str):
    """A text that is markup already."""


def text(content: object) -> Html:
    """Anything as markup that shows it literally; markup stays what it is."""
    if isinstance(content, Html):
        return content
    return Html(html.escape(_CONTROL.sub("\ufffd", str(content))))


def tag(element: str, /, *content: object, **attributes: object) -> Html:
    """An element. A name of an attribute may end in _ (class_), and has _ for - (stroke_width); None leaves it out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(text(part) for part in content)
    return Html(f"<{element}{said}>" if element in VOID else f"<{element}{said}>{inner}</{element}>")


def joined(parts: Iterable[object]) -> Html:
    """One after the other."""
    return Html("".join(text(part) for part in parts))


def escape(content: str) -> str:
    """A name from outside for a sentence that goes through `emphasized`, where asterisks mean something."""
    return text(content).replace("*", "&#42;")


def emphasized(sentence: str) -> Html:
    """A sentence of ours with ** around what is bold and * around what is in italics; names went through `escape`."""
    return Html(_ITALIC.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", sentence)))


def paragraph(content: object) -> Html:
    """A paragraph."""
    return tag("p", content)


def note(content: object) -> Html:
    """A paragraph in small type."""
    return tag("p", content, class_="note")


def name(content: str) -> Html:
    """A name from outside inside a sentence, so that a right-to-left one does not reorder what stands beside it."""
    return tag("bdi", content)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], words: int = 1, caption: str = "") -> Html:
    """A table. words: how many columns, from the left, hold words; the others hold numbers."""
    sides = ["word" if place < words else "number" for place in range(len(columns))]
    head = tag("tr", *(tag("th", title, class_=side, scope="col") for title, side in zip(columns, sides, strict=True)))
    body = [tag("tr", *(tag("td", c, class_=s) for c, s in zip(row, sides, strict=True))) for row in rows]
    parts = [tag("caption", caption)] if caption else []
    return tag("div", tag("table", *parts, tag("thead", head), tag("tbody", *body)), class_="wide")


def facts(rows: Iterable[tuple[str, object]]) -> Html:
    """Names and values; those without a value are left out."""
    kept = [(title, value) for title, value in rows if value not in ("", None)]
    return tag("dl", *(tag("div", tag("dt", title), tag("dd", value)) for title, value in kept))


def figure(drawing: Html, caption: object) -> Html:
    """A chart with what it shows."""
    return tag("figure", drawing, tag("figcaption", caption))


def pictures(images: Sequence[Image.Image], captions: Sequence[Html], largest: int = 112) -> Html:
    """Small JPEGs in the page itself, each with a caption under it."""
    found = [
        tag(
            "figure", tag("img", src=_data_uri(image, largest), alt="", width=96, height=96), tag("figcaption", caption)
        )
        for image, caption in zip(images, captions, strict=True)
    ]
    return tag("div", *found, class_="pictures")


def between(low: float, high: float, unit: str = f"{NO_BREAK}%") -> str:
    """An interval of shares in percent: "58.1 to 64.2 %"."""
    return f"{100 * low:.1f} to {100 * high:.1f}{unit}"


def _data_uri(image: Image.Image, largest: int) -> str:
    image = image.convert("RGB")
    image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
