"""Views of many images, decoded and rendered on all processors, a few batches ahead of whoever takes them.

Threads do it: Pillow decodes and resamples outside the interpreter's lock, so that only about a tenth of a millisecond
an image is spent within it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.images.converting import decode, decode_for
from engine.images.views import pixels_needed, render, square_reduced
from engine.processors import usable_processors

AHEAD = 2  # batches that are made while one is used
MOST_THREADS = 32  # of more, most wait for the interpreter's lock
_AT_A_TIME = 8  # images of a piece of work: few enough to stop soon, enough to be worth a thread's turn

Pixels = dict[int, NDArray[np.uint8]]  # by size S: [B, S, S, 3], 0..255
Read = Callable[[NDArray[np.int64]], Iterator[tuple[bytes, str]]]
Empty = Callable[[tuple[int, ...]], NDArray[np.uint8]]


def threads() -> int:
    """How many threads decode images here."""
    return min(usable_processors(), MOST_THREADS)


def rendered(
    read: Read,
    rows: NDArray[np.int64],
    boxes: NDArray[np.float32],
    sizes: Sequence[int],
    resize: str,
    *,
    batch: int,
    hear: Callable[[int], None] = lambda done: None,
    empty: Empty = lambda shape: np.empty(shape, dtype=np.uint8),
) -> Generator[Pixels]:
    """The images of `rows`, squared by `resize` and cut to `boxes` `[rows, 5]`, at each size: batch by batch, in order.

    read(rows) gives the content and the name of each image, each read when it is asked for: several threads do so at
    once, with rows in rising order.
    hear(done) is told the images that are ready so far, several times a batch, and may raise to stop. empty(shape)
    makes the memory of a batch, such as one that a GPU can copy from by itself. Not more than a few batches exist at a
    time. Raises as `decode`; whichever way it ends, no thread is left.
    """
    starts, ahead = iter(range(0, len(rows), batch)), deque[tuple[Pixels, list[Future[int]]]]()
    pool, done = ThreadPoolExecutor(threads(), thread_name_prefix="render"), 0

    def begin(rows: NDArray[np.int64], boxes: NDArray[np.float32]) -> tuple[Pixels, list[Future[int]]]:
        """Set the pool to work on one batch; what is pending writes into the arrays."""
        pixels = {size: empty((len(rows), size, size, 3)) for size in sizes}
        order = np.argsort(rows, kind="stable")  # as they lie on the disk
        pieces = [order[i : i + _AT_A_TIME] for i in range(0, len(order), _AT_A_TIME)]
        return pixels, [pool.submit(_fill, pixels, piece, read(rows[piece]), boxes, resize) for piece in pieces]

    try:
        while True:
            while len(ahead) <= AHEAD and (start := next(starts, None)) is not None:
                ahead.append(begin(rows[start : start + batch], boxes[start : start + batch]))
            if not ahead:
                return
            pixels, pieces = ahead.popleft()
            for piece in pieces:
                done += piece.result()
                hear(done)
            yield pixels
            del pixels, pieces
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _fill(
    pixels: Pixels,
    places: NDArray[np.int64],
    contents: Iterable[tuple[bytes, str]],
    boxes: NDArray[np.float32],
    resize: str,
) -> int:
    """Render some images of a batch into their places of its arrays; gives their number."""
    for place, (content, name) in zip(places, contents, strict=True):
        for size, made in view_at(content, name, list(pixels), boxes[place], resize).items():
            pixels[size][place] = made
    return len(places)


def view_at(content: bytes, name: str, sizes: Sequence[int], box: NDArray[np.float32], resize: str) -> Pixels:
    """One view of an image that a task keeps, `[S, S, 3]` at each size S. Raises as `decode`."""
    found = decode_for(content, name, [pixels_needed(box, size, resize) for size in sizes])
    squared = {id(one): square_reduced(one.image, one.width, one.height, resize) for one in found}
    made = {}
    for size, one in zip(sizes, found, strict=True):
        image, frame = squared[id(one)]
        made[size] = render(image, box, size, frame)
    return made


def decoded(read: Read, rows: NDArray[np.int64]) -> Iterator[Image.Image]:
    """The images of `rows` as RGB, one after the other, decoded side by side; of them, two a thread are held at once.

    Raises as `decode`.
    """
    ahead = deque[Future[Image.Image]]()
    with ThreadPoolExecutor(threads(), thread_name_prefix="decode") as pool:
        for content, name in read(rows):
            ahead.append(pool.submit(decode, content, name))
            if len(ahead) == 2 * threads():
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
