"""Small pictures of a task's images over HTTP, one by one: `thumbnails/<token>/<row>.webp`.

A page that shows a map of 100,000 images cannot send them along; the browser asks for those that are looked at. Whoever
asks needs the token that a page was given: it cannot be guessed, so nobody sees images whom the workbench has not shown
a page of them (who signs in, and whose scratch a demo shows, is decided there).
"""

from __future__ import annotations

import hashlib
import hmac
import io
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.errors import WorkbenchError
from engine.images import square
from engine.tasks import Task

PATH = "thumbnails"
LARGEST = 96  # pixels of a side
TASKS = 64  # that are known at once; who still looks at an older one loads the page again
KEPT_BYTES = 64_000_000  # of pictures, so that those that are looked at again and again are not made again


@dataclass
class _Shelf:
    """What this server may show: tasks by token, and the pictures that were made last."""

    secret: bytes
    tasks: OrderedDict[str, Task]
    pictures: OrderedDict[tuple[str, int], bytes]
    size: int
    lock: Lock


_SHELF = _Shelf(secrets.token_bytes(32), OrderedDict(), OrderedDict(), 0, Lock())


def address_of(task: Task) -> str:
    """Where this server shows the images of a task as they are now, relative to the page's own address."""
    content = f"{task.folder}\0{task.images.content_hash}\0{task.record.resize}"
    token = hmac.new(_SHELF.secret, content.encode(), hashlib.sha256).hexdigest()[:40]
    with _SHELF.lock:
        _SHELF.tasks[token] = task
        _SHELF.tasks.move_to_end(token)
        while len(_SHELF.tasks) > TASKS:
            _SHELF.tasks.popitem(last=False)
    return f"{PATH}/{token}"


def picture(token: str, row: int) -> bytes | None:
    """The WebP of an image, squared, no side over `LARGEST`; None for a token or a row that there is not.

    Raises DamagedFileError, StorageError.
    """
    with _SHELF.lock:
        task, known = _SHELF.tasks.get(token), _SHELF.pictures.get((token, row))
        if known is not None:
            _SHELF.pictures.move_to_end((token, row))
    if known is not None or task is None or not 0 <= row < len(task.images):
        return known
    [image] = task.images.decoded([row])
    made = _webp(square(image, task.record.resize))
    with _SHELF.lock:
        if (token, row) not in _SHELF.pictures:
            _SHELF.pictures[token, row] = made
            _SHELF.size += len(made)
        while _SHELF.size > KEPT_BYTES:
            _SHELF.size -= len(_SHELF.pictures.popitem(last=False)[1])
    return made


def route(base: str = "") -> Route:
    """The route, below the `base` path that a proxy may give the server."""
    prefix = f"/{base.strip('/')}" if base.strip("/") else ""
    return Route(f"{prefix}/{PATH}/{{token}}/{{row:int}}.webp", _answer)


def _answer(request: Request) -> Response:
    """Starlette runs it in a thread of its own."""
    try:
        found = picture(request.path_params["token"], request.path_params["row"])
    except WorkbenchError:  # the page that shows the map says what is damaged
        found = None
    if found is None:
        return Response(status_code=404)
    headers = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(found, media_type="image/webp", headers=headers)


def _webp(image: Image.Image) -> bytes:
    if max(image.size) > LARGEST:
        image = image.resize((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=82)
    return buffer.getvalue()
