"""A finished or recorded comparison once more, twenty times as fast: its own events, in the order they came."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from app.components import charts, page, wording
from app.components.charts import Curve
from app.components.methods import title
from app.views.results.draft import ResultsDraft
from app.views.results.sources import Shown
from engine.results import RunResult

SPEED = 20
POLL_SECONDS = 0.6


@dataclass(frozen=True)
class ReplayFrame:
    """The comparison at a moment of its replay. running: place of the run that trains then; None at the end."""

    curves: list[Curve]
    shares: list[float]  # how far each run is, 0..1
    running: int | None


def at(results: tuple[RunResult, ...], seconds: float) -> ReplayFrame:
    """What was there `seconds` of training after the first run began; the runs were made one after the other."""
    curves, shares, running, began = [], [], None, 0.0
    for i, result in enumerate(results):
        inside = seconds - began
        length = result.curve[-1]["seconds"]
        curves.append(Curve(result.method, result.seed, [p for p in result.curve if p["seconds"] <= inside]))
        shares.append(min(1.0, max(0.0, inside / length)) if length > 0 else 1.0)
        if running is None and shares[-1] < 1:
            running = i
        began += length
    return ReplayFrame(curves, shares, running)


def total_seconds(results: tuple[RunResult, ...]) -> float:
    """Training seconds of all runs, one after the other."""
    return float(sum(result.curve[-1]["seconds"] for result in results))


def draw(shown: Shown) -> None:
    """The button, and while it plays the replay. It plays in a fragment, so that the rest of the page answers."""
    draft = ResultsDraft.current()
    began = draft.began if draft.replayed == shown.id else None
    length = wording.duration(total_seconds(shown.results) / SPEED)
    with st.container(horizontal=True, vertical_alignment="center"):
        if began is None:
            if st.button(f"Replay at {SPEED}×", icon=":material/play_arrow:", help=f"Takes {length}."):
                draft.replayed, draft.began = shown.id, time.time()
                st.rerun()
            return
        if st.button("End the replay", icon=":material/stop:"):
            draft.replayed = None
            st.rerun()
        st.caption(f"Replay at {SPEED}× of {'the recorded' if shown.recorded else 'these'} runs; nothing is trained.")
    _play(shown, began)


def _play(shown: Shown, began: float) -> None:
    limits = (
        max(result.curve[-1]["images"] for result in shown.results),
        max(point["accuracy"] for result in shown.results for point in result.curve),
    )
    ended = (time.time() - began) * SPEED >= total_seconds(shown.results)

    @st.fragment(run_every=None if ended else POLL_SECONDS)
    @page.guarded
    def refresh() -> None:
        now = at(shown.results, (time.time() - began) * SPEED)
        _draw_frame(shown, now, limits)
        if now.running is None and not ended:
            st.rerun()

    refresh()


def _draw_frame(shown: Shown, now: ReplayFrame, limits: tuple[float, float]) -> None:
    done = sum(share == 1 for share in now.shares)
    text = f"{done} of {wording.count(len(now.shares), 'run')} replayed"
    if now.running is not None:
        result = shown.results[now.running]
        images = int(now.shares[now.running] * result.images)
        text += f" · {title(result.method)}, seed {result.seed} · {images:,} of {result.images:,} images"
    st.progress(sum(now.shares) / len(now.shares), text=text)
    charts.draw_curves(now.curves, "images", "replay-curves", limits)
