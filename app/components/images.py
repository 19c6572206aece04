"""Grids of small images, as data URIs in one HTML block: hundreds of them cost one message to the browser."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from PIL import Image

from engine.images import square
from engine.tasks import Task

LARGEST = 96  # pixels of a thumbnail's side; smaller originals stay as they are
SMALL_ORIGINAL = 40  # pixels; so small an image is sent without loss
MARK_COLOR = "#1b938b"  # at least 3:1 against the backgrounds of both themes
_CHECK = (
    f'<span aria-hidden="true" style="position:absolute;top:0;right:0;width:16px;height:16px;font-size:11px;'
    f'line-height:16px;text-align:center;color:#fff;background:{MARK_COLOR};border-radius:0 4px 0 6px">✓</span>'
)


@dataclass(frozen=True)
class Thumbnail:
    """One image of a grid. `caption` is under it, `alt` is what a screen reader says, `marked` gives it a frame."""

    row: int
    alt: str
    caption: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Picture:
    """An image that is no task's yet, or not as the task has it. `alt` is what a screen reader says."""

    image: Image.Image
    alt: str
    caption: str = ""


def thumbnails(task: Task, rows: Sequence[int], largest: int = LARGEST) -> list[str]:
    """Small squared images of a task as data URIs, in the order of `rows`; no side has more than `largest` pixels."""
    if not rows:
        return []
    key = (str(task.folder), task.images.content_hash, task.record.resize, tuple(map(int, rows)), largest)
    return _thumbnails(*key, task)


def pictures(items: Sequence[Picture], size: int = 64) -> None:
    """A wrapping grid of pictures, each `size` pixels wide, in their own shape."""
    figures = "".join(
        f'<figure style="margin:0;width:{size}px"><img src="{_data_uri(item.image, 2 * size)}" '
        f'alt="{html.escape(item.alt, quote=True)}" title="{html.escape(item.alt, quote=True)}" style="display:block;'
        f"box-sizing:border-box;width:{size}px;height:{size}px;object-fit:contain;border:1px solid "
        f'rgba(128,128,128,.35);border-radius:4px;background:rgba(128,128,128,.12)">{_caption(item.caption)}</figure>'
        for item in items
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:6px;align-items:flex-start">{figures}</div>')


def clusters(task: Task, groups: Sequence[Sequence[Thumbnail]], size: int = 56) -> None:
    """Thumbnails that belong together, each group in a frame of its own."""
    sources = dict(
        zip(
            [item.row for group in groups for item in group],
            thumbnails(task, [item.row for group in groups for item in group]),
            strict=True,
        )
    )
    framed = "".join(
        '<div style="display:flex;gap:4px;padding:5px;border:1px solid rgba(128,128,128,.35);border-radius:6px;'
        f'align-items:flex-start;flex-wrap:wrap">{"".join(_figure(i, sources[i.row], size) for i in group)}</div>'
        for group in groups
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:8px;align-items:flex-start">{framed}</div>')


def grid(task: Task, items: Sequence[Thumbnail], size: int = 64) -> None:
    """A wrapping grid of thumbnails, each `size` pixels wide."""
    st.html(grid_html(task, items, size))


def grid_html(task: Task, items: Sequence[Thumbnail], size: int = 64) -> str:
    """The HTML of `grid`; every text in it is escaped."""
    sources = thumbnails(task, [item.row for item in items])
    figures = "".join(_figure(item, source, size) for item, source in zip(items, sources, strict=True))
    return f'<div style="display:flex;flex-wrap:wrap;gap:6px;align-items:flex-start">{figures}</div>'


def _figure(item: Thumbnail, source: str, size: int) -> str:
    frame = f"3px solid {MARK_COLOR}" if item.marked else "1px solid rgba(128,128,128,.35)"
    picture = (
        f'<img src="{source}" alt="{html.escape(item.alt, quote=True)}" title="{html.escape(item.alt, quote=True)}" '
        f'width="{size}" height="{size}" '
        f'style="display:block;box-sizing:border-box;border:{frame};border-radius:4px;background:#fff">'
    )
    check = _CHECK if item.marked else ""
    return (
        f'<figure style="margin:0;width:{size}px;position:relative">{picture}{check}{_caption(item.caption)}</figure>'
    )


def _caption(text: str) -> str:
    if not text:
        return ""
    return (
        f'<figcaption dir="auto" style="font-size:.72rem;line-height:1.15;overflow-wrap:anywhere;opacity:.85;'
        f'padding-top:2px">{html.escape(text)}</figcaption>'
    )


@st.cache_data(max_entries=512, show_spinner=False)
def _thumbnails(folder: str, content: str, resize: str, rows: tuple[int, ...], largest: int, _task: Task) -> list[str]:
    return [_data_uri(square(image, resize), largest) for image in _task.images.decoded(rows)]


def _data_uri(image: Image.Image, largest: int = LARGEST) -> str:
    if max(image.size) > largest:
        shrunk = largest / max(image.size)
        image = image.resize(
            (max(1, round(image.width * shrunk)), max(1, round(image.height * shrunk))), Image.Resampling.LANCZOS
        )
    buffer = io.BytesIO()
    if max(image.size) <= SMALL_ORIGINAL:
        image.save(buffer, "PNG")
        kind = "png"
    else:
        image.save(buffer, "WEBP", quality=82)
        kind = "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
