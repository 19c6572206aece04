"""Every page and every verb, as they look at a workspace in this process, and what they say."""

from __future__ import annotations

import contextlib
import html
import io
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from streamlit.testing.v1 import AppTest

from engine import jobs
from engine.cli import main
from engine.errors import UnavailableError, WorkbenchError
from engine.jobs import memory, processes
from engine.runs import QueueThread, execution, queue
from engine.workspace import Workspace
from tests.app.pages import begun
from tests.faults.workspace import COMPARISON, DONE, METHODS, STOPPED, TASK, TEACHER, TEACHERS

PROGRAM_ERRORS = ("error in the program", "Traceback")
NOT_TRAINED = "Nothing is trained in this campaign."
AMONG = ["--teachers", ",".join(TEACHERS), "--device", "cpu"]
STUDENT = ["--architecture", "test_efficientnet", "--start", "random", "--size", "32", "--images", "800"]
PAGES = {  # the view, and which part of it (of Results, which section)
    "start": ("start", "images"),
    "task": ("task", "images"),
    "check": ("task", "check"),
    "label": ("task", "label"),
    "teachers": ("teachers", "images"),
    "add a teacher": ("add_teacher", "images"),
    "features": ("features", "images"),
    "distill": ("distill", "images"),
    "results": ("results", "accuracy"),
    "errors": ("results", "errors"),
    "trust": ("results", "trust"),
    "labels": ("results", "labels"),
    "take away": ("results", "take-away"),
    "predict": ("predict", "images"),
    "import": ("importing", "images"),
}
VERBS: dict[str, list[str]] = {
    "tasks": ["tasks", "--json"],
    "teachers": ["teachers", "--json"],
    "rank": ["rank", "--task", TASK, *AMONG, "--json"],
    "compare": [
        "compare",
        "--task",
        TASK,
        "--methods",
        ",".join(METHODS),
        "--teachers",
        ",".join(TEACHERS),
        "--device",
        "cpu",
        "--labels-per-class",
        "5",
        *STUDENT,
    ],
    "export": ["export", Path(DONE).name, "--out", "{home}/student"],
    "report": ["report", COMPARISON, "--out", "{home}/report.html"],
    "predict": ["predict", Path(DONE).name, "{home}/brought", "--device", "cpu", "--json"],
    "finish": ["finish", Path(DONE).name, "--device", "cpu", "--json"],
    "import": ["import", "{home}/nothing", "--name", "mine"],
    "benchmark": ["benchmark", "{home}/" + DONE + "/result.json"],
    "teachers remove": ["teachers", "remove", TEACHER],
    "job": ["job", "{home}/" + STOPPED],
    "work": ["work", "--device", "cpu"],
}


@dataclass(frozen=True)
class Look:
    """What one page or verb said. error: the end of a traceback, or the sentence about an error in the program."""

    name: str
    text: str
    error: str | None


def look(home: Workspace, pages: list[str], verbs: list[str], comparison: str = COMPARISON) -> Iterator[Look]:
    """Look at the workspace `home`, which must be WORKBENCH_HOME, with some pages, then with some verbs.

    comparison: the one that the pages are asked for.
    """
    with nothing_starts():
        if pages:
            yield from _pages(pages, comparison)
        for name in verbs:  # what changes the workspace comes last
            yield verb(name, [part.replace("{home}", str(home.path)) for part in VERBS[name]])


def _pages(names: list[str], comparison: str) -> Iterator[Look]:
    app = begun(3600, task=TASK, teacher=TEACHER, comparison=comparison)
    for name in names:
        view, part = PAGES[name]
        app.query_params["section" if view == "results" else "part"] = part
        yield seen(name, app.switch_page(f"views/{view}/page.py").run())


def seen(name: str, app: AppTest) -> Look:
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.info, app.warning, app.error)
    said = [str(element.value) for kind in kinds for element in kind]
    said += [table.value.to_csv() for table in app.table]
    text = "\n".join(said).replace("\\", "")
    if app.exception:
        return Look(name, text, str(app.exception[0].message))
    if not app.title and not app.error and not app.warning:
        return Look(name, text, "there is no page at all")
    return Look(name, text, _program_error(text))


def verb(name: str, arguments: list[str]) -> Look:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            main(arguments)
    except SystemExit as error:
        return Look(name, said.getvalue(), f"it exits with {error.code}")
    except Exception:
        return Look(name, said.getvalue(), traceback.format_exc())
    if name == "job":  # its traceback goes to its log on purpose; what the user is told is its status
        with contextlib.suppress(WorkbenchError):
            said = io.StringIO(str(jobs.status(jobs.load(Path(arguments[1]))).message))
    if name == "report" and (page := Path(arguments[-1])).exists():
        said.write(html.unescape(page.read_text()))
    return Look(name, said.getvalue(), _program_error(said.getvalue()))


def _program_error(text: str) -> str | None:
    return next((text[text.index(sign) :][:2000] for sign in PROGRAM_ERRORS if sign in text), None)


@contextlib.contextmanager
def nothing_starts() -> Iterator[None]:
    """No queue runs beside a look, no worker is started, and nothing is trained."""

    def train(*_: Any, **__: Any) -> None:
        raise UnavailableError(NOT_TRAINED)

    def wait(waited: list[jobs.Job], *_: Any, **__: Any) -> dict[jobs.Job, jobs.Status]:
        return {job: jobs.status(job) for job in waited}

    quiet: dict[tuple[Any, str], Callable[..., Any]] = {
        (QueueThread, "start"): lambda self: None,
        (QueueThread, "is_alive"): lambda self: True,
        (QueueThread, "join"): lambda self, timeout=None: None,
        (jobs, "wait"): wait,
        (execution, "train"): train,
        (processes, "give_way"): lambda: None,  # this process goes on with other tests
        (memory, "keep_freed"): lambda: False,
        (queue, "worker_command"): train,
    }
    with contextlib.ExitStack() as stack:
        for (place, name), other in quiet.items():
            stack.enter_context(mock.patch.object(place, name, other))
        yield
