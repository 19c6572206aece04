"""`python -m tests.benchmarks.visitors`: ten visitors of a demo at once, each in a browser of its own, as one trains.

Each brings a ZIP with a word of its own in its name, makes a task of it, and goes over the pages. Whatever a page
holds is searched for the words of the others, and a link to one visitor's task is opened by the next one.
"""

import argparse
import io
import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from app.visitor_cookie import SWITCH
from engine import jobs, scratches
from engine.review import open_task
from engine.runs import plan, start
from engine.tasks import is_own
from engine.workspace import Workspace
from tests.browser.chromium import launched
from tests.browser.server import serving
from tests.browser.workbench import Workbench

WINDOW = {"width": 1440, "height": 900}
PATIENCE = 600.0  # s for all imports
LOOKS_AT = ("", "task", "distill", "predict", "learn")  # pages, by address
IMAGES = 12  # of each of two classes


def word(number: int) -> str:
    """What nobody else says."""
    return f"quagga{number:02d}x"


def archive(folder: Path, number: int) -> Path:
    """A ZIP of small images in two folders, whose names hold the visitor's word."""
    path, colors = folder / f"{word(number)}.zip", np.random.default_rng(number)
    with zipfile.ZipFile(path, "w") as packed:
        for index in range(2 * IMAGES):
            stream = io.BytesIO()
            Image.fromarray(colors.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(stream, "PNG")
            packed.writestr(f"{word(number)}-{'ab'[index % 2]}/{index}.png", stream.getvalue())
    return path


@contextmanager
def visits(server_url: str, count: int) -> Iterator[list[Workbench]]:
    """A tab of each visitor, whose browsers share nothing."""
    with launched() as browser:
        contexts = [browser.new_context(viewport=WINDOW) for _ in range(count)]
        try:
            yield [Workbench(context.new_page(), server_url) for context in contexts]
        finally:
            for context in contexts:
                context.close()


def own_tasks(base: Workspace) -> dict[str, Workspace]:
    """The tasks that visitors made: title -> whose."""
    found = {}
    for scratch in scratches.scratches(base):
        for folder in scratch.workspace.tasks.glob("*"):
            if folder.name.startswith("quagga") and (folder / "task.json").exists():
                task = open_task(scratch.workspace, folder.name)
                assert is_own(task)
                found[task.record.title] = scratch.workspace
    return found


def heard_of(tab: Workbench, me: int, count: int) -> list[str]:
    """Words of others in anything that the browser has of the page."""
    content = tab.tab.content().lower()
    return [word(other) for other in range(count) if other != me and word(other) in content]


def timed(tab: Workbench, path: str, text: str) -> float:
    """Seconds until a text is on a page, from its address on."""
    began = time.monotonic()
    tab.tab.goto(f"{tab.url}/{path}")
    tab.await_text(text, 300_000)
    return time.monotonic() - began


def memory(log: Path) -> float:
    """GB of the largest process that serves this log's server."""
    largest = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if os.path.samefile(status.with_name("fd") / "1", log) and "VmRSS" in (text := status.read_text()):
                largest = max(largest, int(text.partition("VmRSS:")[2].split()[0]))
        except OSError:
            continue
    return largest / 1e6


def main(count: int) -> None:
    """Print what was found. Raises AssertionError if anybody learned of anybody."""
    os.environ[SWITCH] = "1"
    with tempfile.TemporaryDirectory() as place:
        folder, base = Path(place), Workspace(Path(place) / "workspace")
        scratches.prepare(base)
        with serving(base, folder / "log") as server, visits(server.url, count) as tabs:
            first = [timed(tab, "", "This is a demo") for tab in tabs]
            print(f"first page: {_seconds(first)}", flush=True)
            trainer = scratches.scratches(base)[0].workspace
            task = open_task(trainer, "emoji-fluent")
            run = start(trainer, plan(trainer, task, ["fine-tune"], [0], device="cpu", images=200_000)).runs[0]
            began = time.monotonic()
            for number, tab in enumerate(tabs):
                tab.open("import")
                tab.tab.locator("input[type=file]").first.set_input_files(archive(folder, number))
                tab.await_text("Make this task", 300_000)
                tab.button("Make this task").click()
                tab.settle()
            print(f"all uploads: {time.monotonic() - began:.0f} s", flush=True)
            while len(found := own_tasks(base)) < count and time.monotonic() - began < PATIENCE:
                time.sleep(1)
            assert len({scratch.path for scratch in found.values()}) == count, found
            print(f"{count} imports in {count} scratches after {time.monotonic() - began:.0f} s", flush=True)
            now = jobs.status(jobs.load(trainer.runs / run))
            assert now.state == "running", now
            shown, leaks = [], []
            for path in LOOKS_AT:
                for number, tab in enumerate(tabs):
                    shown.append(timed(tab, path, "This is a demo"))
                    tab.settle()
                    tab.assert_sound()
                    leaks += heard_of(tab, number, count)
                    if path == "":
                        assert word(number) in tab.text().lower()
            print(f"{len(shown)} pages while a student trains, until the first words: {_seconds(shown)}", flush=True)
            for number, tab in enumerate(tabs):  # a link that was shared
                other = (number + 1) % count
                tab.open(f"task?task={word(other)}")
                assert "There is no task named" in tab.text(), tab.text()
                assert "data:image" not in tab.tab.content()
            sizes = [one.size / 1e6 for one in scratches.scratches(base)]
            now = jobs.status(jobs.load(trainer.runs / run))
            print(
                f"words of others seen: {len(leaks)}; the run: {now.state}, {now.done:,} of {now.total or 0:,} images"
            )
            print(f"disk of a scratch: {max(sizes):.1f} MB at most; the server: {memory(server.log):.1f} GB")
            assert not leaks, leaks


def _seconds(found: list[float]) -> str:
    return f"median {statistics.median(found):.1f} s, longest {max(found):.1f} s"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=10)
    main(parser.parse_args().visitors)
