"""The script of the web app: what Streamlit runs for every page. `app/server.py` serves it."""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path
from typing import Any

import streamlit as st

st.set_page_config(page_title="Distill Workbench", page_icon=str(Path(__file__).with_name("icon.png")), layout="wide")

ADD = "Your own teachers: pretrained networks, files, tables."
IMPORT = "Your own images, from where they are to a task."


def _page(name: str, icon: str, help: str, *, title: str | None = None, url: str | None = None, **more: Any) -> st.Page:
    """The page of a folder in `views`. Its address is its name, unless `url` says otherwise."""
    title, url = title or name.capitalize(), url or name.replace("_", "-")
    return st.Page(f"views/{name}/page.py", title=title, icon=icon, url_path=url, help=help, **more)


def _to_start() -> None:
    """Whoever writes /start means the start page, whose address is /."""
    from app.components import page

    page.go("start")


def _load_engine() -> None:
    """Load what every page imports. The engine brings PyTorch, which takes seconds, once a server."""
    if "app.cached" not in sys.modules:
        with st.spinner("Starting the engine. Only the first visit waits for it."):
            importlib.import_module("app.cached")  # with it all of the engine that pages use
        # Streamlit collects garbage after every run of a page; looking through the half million objects of the
        # libraries takes it 0.3 s each time, and none of them is ever garbage.
        gc.freeze()


def main() -> None:
    """Show the page that the URL names."""
    _load_engine()
    from app import queues, state  # below the spinner that says why this takes seconds
    from app.components import demo_banner, page, sign_in

    chosen = st.navigation(
        [
            # The start page is at "/"; the path that it takes for itself all the same is left to `_to_start`.
            _page("start", ":material/home:", "What this is, and the tasks to choose from.", url="home", default=True),
            _page("task", ":material/photo_library:", "The task's images by class, and how many of them are labeled."),
            _page("teachers", ":material/school:", "Teachers ranked by similarity to the task, and their weights."),
            _page("add_teacher", ":material/add_circle:", ADD, title="Add a teacher"),
            _page("features", ":material/scatter_plot:", "A map of the task's images as one teacher sees them."),
            _page("distill", ":material/model_training:", "Choose methods and budget, start runs, watch them."),
            _page("results", ":material/bar_chart:", "Held-out accuracy of the methods, compared; the student's file."),
            _page("predict", ":material/image_search:", "A finished student at work on new images."),
            _page("learn", ":material/cast_for_education:", "Lessons of six or seven minutes, computed from a task."),
            _page("importing", ":material/upload:", IMPORT, title="Import", url="import", visibility="hidden"),
            st.Page(_to_start, title="Start", url_path="start", visibility="hidden"),
        ]
    )
    page.style()
    sign_in.required()
    with page.errors_as_sentences():
        state.synchronize_url()
        queues.queue(state.device())
        queues.clusters()
        page.sidebar()
        sign_in.sidebar()
        page.name_tab(chosen.title)
        page.queue_problem()
        demo_banner.draw()
        chosen.run()


main()
