"""The workbench in a browser tab: going to pages, waiting until they stand, and what must never be on one."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Locator, Page, TimeoutError, expect

PAGES = ("start", "task", "teachers", "features", "distill", "results", "predict")
SECONDS = 1000.0  # in Playwright's milliseconds
PATIENCE = 60 * SECONDS
REST = 15 * SECONDS
QUIET = 400  # ms without a rerun after which a page stands
# Streamlit looks for its server under the page's path first, and the browser reports what it did not find.
EXPECTED = ("Failed to load resource",)


@dataclass
class Workbench:
    """One tab. `said` collects errors that the browser reports."""

    tab: Page
    url: str
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tab.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        self.tab.on("pageerror", lambda error: self.said.append(f"exception: {error}"))
        self.tab.on("console", self._hear)

    def open(self, path: str) -> None:
        """Load a page by its address, such as "task?task=emoji-fluent"."""
        self.tab.goto(f"{self.url}/{path}")
        self.settle()

    def go(self, name: str) -> None:
        """Open a page through the navigation."""
        self.tab.get_by_test_id("stSidebarNavLink").filter(has_text=name.capitalize()).click()
        expect(self.tab).to_have_url(self._address(name), timeout=PATIENCE)
        self.settle()

    def settle(self) -> None:
        """Wait until the script of the page has run to its end; one that polls may never rest on a busy machine."""
        ended = self.tab.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
        with suppress(TimeoutError):
            ended.wait_for(timeout=REST)
            self.tab.wait_for_timeout(QUIET)
            ended.wait_for(timeout=REST)

    def button(self, name: str) -> Locator:
        """A button of the page's content by the beginning of its label."""
        return self.tab.get_by_test_id("stMain").get_by_role("button", name=name).first

    def text(self) -> str:
        """All text of the page's content."""
        return self.tab.get_by_test_id("stMain").inner_text()

    def await_text(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until a text is on the page."""
        expect(self.tab.get_by_test_id("stMain")).to_contain_text(text, timeout=patience)

    def lasso(self, reach: float = 0.42) -> None:
        """Draw a ring around the middle of the first map on Features; `reach` is a share of its width."""
        self.tab.locator('[data-tool="lasso"]').click()
        plot = self.tab.locator(".stage").first
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        ring = [
            (x + reach * box["width"] * math.cos(angle), y + reach * box["height"] * math.sin(angle))
            for angle in (2 * math.pi * i / 24 for i in range(25))
        ]
        self.tab.mouse.move(*ring[0])
        self.tab.mouse.down()
        for point in ring[1:]:
            self.tab.mouse.move(*point, steps=2)
        self.tab.mouse.up()

    def choose(self, name: str) -> None:
        """Choose an option of a segmented control by its exact name."""
        self.tab.get_by_test_id("stMain").get_by_role("radio", name=name, exact=True).click()
        self.settle()

    def overflow(self) -> int:
        """By how many pixels the content is wider than the window."""
        wide: int = self.tab.evaluate(
            """() => Math.max(document.documentElement.scrollWidth,
                 ...[...document.querySelectorAll('[data-testid="stMain"]')].map(main => main.scrollWidth))
                 - window.innerWidth"""
        )
        return wide

    def assert_sound(self) -> None:
        """No traceback, no error of the program, nothing that the browser complains of."""
        assert not self.tab.get_by_test_id("stException").count(), self.text()
        text = self.text()
        assert "Traceback" not in text, text
        assert "error in the program" not in text, text
        assert not self.said, self.said

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(EXPECTED):
            self.said.append(message.text)

    @staticmethod
    def _address(name: str) -> re.Pattern[str]:
        return re.compile(rf"/{'' if name == 'start' else name}(\?|$)")
