"""`python -m tests.benchmarks.decoding`: what confinement costs a decoder, as ratios of its processor time.

Two decoders, one with every layer that the system has and one with none, take turns on the same 2,000 small JPEGs.
"""

import io
import json
import statistics
import time
from pathlib import Path

import numpy as np
from PIL import Image

from engine.confinement import Confined, as_json, serve
from engine.images import decoder
from engine.images.decoder import Decoder
from engine.images.reading import Reading
from engine.settings import ImportSettings

IMAGES, PIXELS, ROUNDS = 2000, 96, 20


def bare() -> None:
    """A decoder that gives nothing up."""
    serve({"look": decoder._look}, decoder._load, layers=())


def jpegs() -> list[bytes]:
    """Small JPEGs of squares in made-up colors."""
    rng, found = np.random.default_rng(0), []
    for _ in range(IMAGES):
        squares = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(np.kron(squares, np.ones((PIXELS // 8, PIXELS // 8, 1), np.uint8))).save(stream, "JPEG")
        found.append(stream.getvalue())
    return found


def processor_seconds(pid: int) -> float:
    """Processor time of the first thread of a process so far (Linux)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def main() -> None:
    """Print the median of confined / bare over rounds, with the range, and what starting each took."""
    images, settings = jpegs(), ImportSettings()
    decoders = {"confined": Decoder(settings), "bare": Decoder(settings)}
    decoders["bare"].process = Confined(f"{__spec__.name}:bare", memory=settings.decode_bytes, seconds=20)
    pids, ready = {}, {}
    for kind, one in decoders.items():
        began = time.perf_counter()
        pids[kind] = one.process.start().pid
        ready[kind] = {"clock": time.perf_counter() - began, "processor": processor_seconds(pids[kind])}
    ratios, size = [], IMAGES // ROUNDS
    for number in range(ROUNDS):
        took = {}
        for kind in sorted(decoders, reverse=bool(number % 2)):
            before = processor_seconds(pids[kind])
            for image in images[number * size : (number + 1) * size]:
                decoders[kind].look(image, "image.jpg", Reading())
            took[kind] = processor_seconds(pids[kind]) - before
        ratios.append(took["confined"] / took["bare"])
    held = as_json(decoders["confined"].process.protections)
    for one in decoders.values():
        one.close()
    ratio = {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios), "rounds": ROUNDS}
    print(json.dumps({"confined / bare": ratio, "seconds to start": ready, "layers": held}, indent=1))


if __name__ == "__main__":
    main()
