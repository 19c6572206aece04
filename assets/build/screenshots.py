"""The pictures of the README, from the running workbench: `python -m assets.build.screenshots`.

Walks through a bundled task with real runs and a real browser, so they show what a user gets. Needs the packages of
the tests. Takes some minutes.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from engine.review import open_task
from engine.workspace import Workspace
from tests.browser.chromium import launched
from tests.browser.server import serving
from tests.browser.workbench import PATIENCE, Workbench

OUT = Path(__file__).resolve().parents[1] / "screenshots"
SIZE = {"width": 1440, "height": 900}
LARGEST = 300_000  # bytes of a picture
COLORS = (256, 128, 64)  # tried in turn where a picture with all its colors is too large
LONG = 10 * PATIENCE
DRAWN = 1500  # ms until charts and pictures stand
SCROLL = 260  # pixels, so that the curves are on the picture of Distill, and the images on that of Predict
NEW_IMAGES = 60
TAUGHT = re.compile("loss: labels .* consistency")  # the second of the four has reached the first point of its curve


def main(arguments: list[str]) -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take the README's pictures of the workbench.")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--task", default="emoji-fluent")
    parser.add_argument("--only", choices=SHOWN, action="append", help="this picture alone; may be given again")
    parser.add_argument("--dark", action="store_true", help="in the dark theme")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Workspace(Path(folder) / "workspace"), Path(folder) / "log") as server,
        launched() as browser,
    ):
        tab = browser.new_page(viewport=SIZE, color_scheme="dark" if options.dark else "light")
        workbench = Workbench(tab, server.url)
        for name in options.only or SHOWN:
            SHOWN[name](workbench, options)
            tab.wait_for_timeout(DRAWN)
            path = options.out / f"{name}.png"
            path.write_bytes(small(tab.screenshot()))
            print(f"{path}: {path.stat().st_size:,} bytes", file=sys.stderr)
    return 0


def small(picture: bytes) -> bytes:
    """The same picture as a PNG of at most `LARGEST` bytes, with as many colors as that allows."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    packed = _packed(image)
    for colors in COLORS:
        if len(packed) <= LARGEST:
            break
        packed = _packed(image.quantize(colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
    return packed


def _packed(image: Image.Image) -> bytes:
    packed = io.BytesIO()
    image.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def teachers(workbench: Workbench, options: argparse.Namespace) -> None:
    """All teachers, ranked, as that comes with the program."""
    workbench.open(f"teachers?task={options.task}")
    workbench.await_text("of the resamples", LONG)  # the intervals are there
    workbench.settle()


def features(workbench: Workbench, options: argparse.Namespace) -> None:
    """The UMAP with a lasso's images beside it."""
    workbench.go("features")
    workbench.choose("One or two")
    expect(workbench.tab.locator(".maps figcaption").first).to_contain_text("UMAP", timeout=LONG)
    workbench.settle()
    workbench.lasso(0.2)
    workbench.tab.get_by_test_id("stMain").locator("figure img").first.wait_for()


def distill(workbench: Workbench, options: argparse.Namespace) -> None:
    """Runs in the middle of their training."""
    workbench.open(f"distill?task={options.task}")
    workbench.button("Measure it").click()
    expect(workbench.tab.get_by_text("one after the other")).to_be_visible(timeout=LONG)
    workbench.button("Start 4 runs").click()
    workbench.await_text("1 of 4 runs done", LONG)
    expect(workbench.tab.get_by_text(TAUGHT)).to_be_visible(timeout=LONG)
    workbench.tab.get_by_test_id("stMain").hover()
    workbench.tab.mouse.wheel(0, SCROLL)


def results(workbench: Workbench, options: argparse.Namespace) -> None:
    """The recorded comparison."""
    workbench.open(f"results?task={options.task}&comparison=recorded")
    workbench.await_text("DistillWeighted")
    expect(workbench.tab.locator(".js-plotly-plot .main-svg").nth(3)).to_be_visible(timeout=LONG)  # both charts
    workbench.settle()


def errors(workbench: Workbench, options: argparse.Namespace) -> None:
    """Which classes are taken for which, by a recorded student."""
    workbench.open(f"results?task={options.task}&comparison=recorded&section=errors")
    workbench.await_text("Most confused")
    expect(workbench.tab.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=LONG)
    workbench.settle()
    workbench.tab.get_by_test_id("stMain").hover()
    workbench.tab.mouse.wheel(0, SCROLL)


def predict(workbench: Workbench, options: argparse.Namespace) -> None:
    """Held-out images of the task as if they were new, predicted by the best student of `distill`."""
    workbench.open(f"predict?task={options.task}")
    archive = {"name": "new-images.zip", "mimeType": "application/zip", "buffer": _held_out(options.task)}
    workbench.tab.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(archive)
    workbench.await_text("Milliseconds an image", LONG)
    workbench.tab.get_by_test_id("stMain").locator("figure img").first.wait_for()
    workbench.settle()
    workbench.tab.get_by_test_id("stMain").hover()
    workbench.tab.mouse.wheel(0, SCROLL)


def _held_out(task: str) -> bytes:
    """A ZIP of some held-out images of a bundled task."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w") as archive:
        opened = open_task(Workspace(Path(folder)), task)
        rows = opened.test_rows[:: max(1, len(opened.test_rows) // NEW_IMAGES)]
        for number, (content, _) in enumerate(opened.images.contents(rows)):
            archive.writestr(f"image-{number:03d}.png", content)
    return packed.getvalue()


SHOWN: dict[str, Callable[[Workbench, argparse.Namespace], None]] = {
    "teachers": teachers,
    "features": features,
    "distill": distill,
    "results": results,
    "errors": errors,
    "predict": predict,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
