"""Which Chromium drives the browser tests: one on the PATH, else Playwright's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",  # a container's root has no sandbox
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL without a GPU
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class NoBrowserError(RuntimeError):
    """There is no browser, and the tests that need one do not pretend otherwise."""

    def __init__(self) -> None:
        super().__init__(
            "The browser tests need Chromium, and there is none: install the package chromium (apt-get install "
            "chromium), or run python -m playwright install chromium."
        )


def find() -> Path:
    """The browser's executable. Raises NoBrowserError."""
    for name in ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    if not own.is_file():
        raise NoBrowserError
    return own


@contextmanager
def launched() -> Iterator[Browser]:
    """A running browser. Raises NoBrowserError."""
    executable = find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
