"""How fluid the maps are in a browser: `python -m tests.benchmarks.maps --points 100000`.

The real component in a real Chromium, two maps of as many made-up images: frames a second while one is dragged, from
the end of a lasso to a grid of pictures, from a movement of the pointer to the picture beside it. Drawing takes the
processor alone, so a busy machine shows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import CDPSession, Page

from engine.installation import importing
from tests.browser.chromium import launched

SCRIPT = """
from pathlib import Path
import numpy as np, streamlit as st
from PIL import Image
from app import thumbnails
from app.components import point_maps
from app.components.colors import class_colors
from app.components.point_maps import LiveMap, MapPoints

N, CLASSES = {points}, 10
class Images:
    content_hash, image_ids = "made", ["image"] * N
    def __len__(self): return N
    def decoded(self, rows):
        for row in rows:
            yield Image.new("RGB", (96, 96), (row * 37 % 256, row * 11 % 256, row * 5 % 256))
class Record: resize = "stretch"
class Made: folder, images, record = Path("made"), Images(), Record()
generator = np.random.default_rng(0)
Made.labels = generator.integers(CLASSES, size=N)
Made.classes = tuple(f"class {{i}}" for i in range(CLASSES))
st.set_page_config(layout="wide")
centers = generator.normal(size=(2, CLASSES, 2)) * 4
maps = [
    LiveMap(str(i), f"Map {{i}}", "", "a map", (centers[i][Made.labels] + generator.normal(size=(N, 2))).astype("f4"),
            Made.labels, Made.classes, tuple(class_colors(CLASSES)))
    for i in range(2)
]
points = MapPoints(Made, np.arange(N), np.zeros(N, int), np.zeros(N, bool))
touched = point_maps.draw(points, maps, key="maps", picked=(), stamp=0)
st.write("picked", len(touched.rows or ()))
"""
SERVER = """
from streamlit.starlette import App
from app import thumbnails
app = App({script!r}, routes=[thumbnails.route()])
"""
STEPS = 90  # of a drag
WATCH = """() => {
  window.frames_ = []
  const step = (now) => { window.frames_.push(now); window.watching = requestAnimationFrame(step) }
  requestAnimationFrame(step)
}"""
HOVER = """([x, y]) => new Promise((done) => {
  const root = [...document.querySelectorAll("*")].map((e) => e.shadowRoot?.querySelector(".root")).find(Boolean)
  const stage = root.querySelector(".stage"), picture = root.querySelector(".tip img"), begun = performance.now()
  picture.onload = () => done(performance.now() - begun)
  setTimeout(() => done(null), 3000)
  stage.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true }))
})"""


def main(arguments: list[str]) -> int:
    """Measure, and print one JSON line."""
    parser = argparse.ArgumentParser(description="Measure the maps in a browser.")
    parser.add_argument("--points", type=int, default=100_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        script, server = Path(folder) / "page.py", Path(folder) / "served.py"
        script.write_text(SCRIPT.format(points=options.points))
        server.write_text(SERVER.format(script=str(script)))
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            port = probe.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            str(server),
            "--server.port",
            str(port),
            "--server.headless=true",
        ]
        environment = {**os.environ, **importing()}
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            url = f"http://localhost:{port}"
            _await(url)
            tab = browser.new_page(viewport={"width": 1440, "height": 900})
            tab.goto(url)
            print(json.dumps({"points": options.points, "maps": 2, "load": os.getloadavg()[0]} | measured(tab)))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    return 0


def measured(tab: Page) -> dict[str, float | None]:
    """Everything, in the order in which one does it."""
    tab.locator(".root[data-painted]").wait_for(timeout=120_000)
    tab.wait_for_timeout(2000)
    box = tab.locator(".stage").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    clock = tab.context.new_cdp_session(tab)
    clock.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    clock.send("Performance.enable")
    hovers = [tab.evaluate(HOVER, [x + 11 * i, y + 7 * i]) for i in range(9)]
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.evaluate(WATCH)
    before = worked(clock)
    for step in range(STEPS):
        tab.mouse.move(x + 90 * math.sin(step / 9), y + 60 * math.sin(step / 7))
    frames = tab.evaluate("() => { cancelAnimationFrame(window.watching); return window.frames_ }")
    busy = worked(clock) - before
    paint = float(tab.locator(".root").get_attribute("data-painted") or "nan")
    tab.mouse.up()
    apart = [after - before for before, after in pairwise(frames)]
    return {
        "frames_a_second": round(1000 / statistics.mean(apart), 1),
        "slowest_frame_ms": round(max(apart), 1),
        "processor_ms_a_frame": round(busy / len(apart), 1),
        "painting_both_ms": paint,
        "hover_to_picture_ms": round(statistics.median([ms for ms in hovers if ms is not None] or [math.nan]), 1),
        **lassoed(tab, clock, x, y, 0.3 * box["height"]),
    }


def worked(clock: CDPSession) -> float:
    """How long the page's main thread has worked so far, in ms of a processor: what others on the machine do with it is
    not in it.
    """
    metrics = clock.send("Performance.getMetrics")["metrics"]
    return 1000 * next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


def lassoed(tab: Page, clock: CDPSession, x: float, y: float, reach: float) -> dict[str, float]:
    """From letting go of the pointer to the grid, and to 60 pictures in it that are loaded, in ms."""
    tab.locator('[data-tool="lasso"]').click()
    ring = [(x + reach * math.cos(a), y + reach * math.sin(a)) for a in (2 * math.pi * i / 24 for i in range(25))]
    tab.mouse.move(*ring[0])
    tab.mouse.down()
    for place in ring[1:]:
        tab.mouse.move(*place)
    tab.evaluate(
        """() => {
          const hosts = [...document.querySelectorAll("*")]
          const root = hosts.map((e) => e.shadowRoot?.querySelector(".root")).find(Boolean)
          root.querySelector(".stage").addEventListener("pointerup", () => { window.begun = performance.now() }, true)
          const look = () => {
            const all = [...root.querySelectorAll(".picked figure img")]
            if (all.length && !window.filled) window.filled = performance.now() - window.begun
            if (all.length && all.every((e) => e.complete)) window.took = performance.now() - window.begun
            else requestAnimationFrame(look)
          }
          requestAnimationFrame(look)
        }"""
    )
    before = worked(clock)
    tab.mouse.up()
    tab.wait_for_function("() => window.took", timeout=30_000)
    return {
        "lasso_to_grid_ms": round(float(tab.evaluate("() => window.filled")), 1),
        "lasso_to_pictures_ms": round(float(tab.evaluate("() => window.took")), 1),
        "processor_ms_of_lasso": round(worked(clock) - before, 1),
    }


def _await(url: str) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError("The server does not answer.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
