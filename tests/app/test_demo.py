"""The demo as its visitors meet it: who is who, what is whose, what is said, and which doors are shut."""

import ast
import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app import queues, visitors
from app.components import queued, tour
from app.visitor_cookie import COOKIE, VisitorCookie, is_demo, token_in
from engine import jobs, runs, scratches
from engine.jobs import create, states
from engine.workspace import Workspace
from tests.app.pages import button, open_page, shown, text_of

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef" * 2


@pytest.fixture
def demo(home, monkeypatch):
    """A demo with nobody who tidies up, and no queue."""
    monkeypatch.setenv("WORKBENCH_DEMO", "1")
    monkeypatch.setattr(scratches, "prepare", lambda base: None)
    monkeypatch.setattr(queues, "queue", lambda device: None)
    visitors._host.clear()
    return home


def answered(headers=(), path="/", status=200):
    """The headers of an answer that went through the middleware, in lower case."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": [(b"cache-control", b"no-cache")]})

    found = {}

    async def send(message):
        found.update({name.decode(): value.decode() for name, value in message["headers"]})

    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "headers": [(n.encode(), v.encode()) for n, v in headers],
    }
    with ThreadPoolExecutor(1) as aside:  # this thread has a loop that runs where a browser was driven before
        aside.submit(asyncio.run, VisitorCookie(app, path)(scope, None, send)).result()
    return found


PAGE = ("accept", "text/html,application/xhtml+xml")


def test_a_browser_that_opens_a_page_gets_a_number_that_no_script_and_no_link_has():
    found = answered([PAGE], path="demo/bench/")
    cookie, *about = found["set-cookie"].split("; ")
    assert token_in({COOKIE: cookie.partition("=")[2]})
    assert about == ["Path=/demo/bench", "Max-Age=86400", "HttpOnly", "SameSite=Lax"]
    assert found["cache-control"] == "no-store"
    assert "Secure" in answered([PAGE, ("x-forwarded-proto", "https")])["set-cookie"]
    assert answered([PAGE])["set-cookie"] != answered([PAGE])["set-cookie"]


@pytest.mark.parametrize(
    "headers",
    [[PAGE, ("cookie", f"a=b; {COOKIE}={TOKEN}")], [("accept", "image/*")], []],
    ids=["known", "picture", "health"],
)
def test_nobody_else_gets_one(headers):
    assert answered(headers) == {"cache-control": "no-cache"}


@pytest.mark.parametrize("wrong", ["", "../../etc", TOKEN.upper(), TOKEN[:-1], TOKEN + "0"])
def test_a_number_that_this_server_did_not_make_counts_for_nothing(wrong):
    assert token_in({COOKIE: wrong}) is None
    assert "set-cookie" in answered([PAGE, ("cookie", f"{COOKIE}={wrong}")])


def test_without_the_switch_nothing_is_a_demo(home, monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)
    assert not is_demo({})
    assert not is_demo({"WORKBENCH_DEMO": "0"})
    said = text_of(open_page("predict"))
    assert "demo" not in said
    assert not home.scratches.exists()


def visit(name, cookie, monkeypatch):
    """A page as the browser with this cookie sees it."""
    monkeypatch.setattr(visitors, "token_in", lambda cookies: cookie)
    return open_page(name)


def test_a_reload_finds_the_scratch_and_another_browser_does_not(demo, monkeypatch):
    assert "This is a demo" in text_of(visit("start", TOKEN, monkeypatch))
    (first,) = scratches.scratches(demo)
    create(first.workspace.jobs, "mine", kind="import", spec={"title": "My secret"}, device="cpu", lane="import")
    assert "My secret" in text_of(visit("start", TOKEN, monkeypatch))
    said = text_of(visit("start", TOKEN[::-1], monkeypatch))
    assert "This is a demo" in said
    assert "My secret" not in said
    assert len(scratches.scratches(demo)) == 2
    assert TOKEN not in str(sorted(demo.scratches.iterdir()))  # a path gives nobody the cookie


def test_a_browser_without_cookies_has_a_scratch_as_long_as_its_page_is_open(demo, monkeypatch):
    app = visit("add_teacher", None, monkeypatch)
    assert "a reload begins anew" in text_of(app)
    shown(app.run())
    assert len(scratches.scratches(demo)) == 1
    visit("add_teacher", None, monkeypatch)
    assert len(scratches.scratches(demo)) == 2


def test_who_stays_away_too_long_begins_anew_and_is_told(demo, monkeypatch):
    app = visit("add_teacher", TOKEN, monkeypatch)
    (mine,) = scratches.scratches(demo)
    os.utime(mine.workspace.path / "visited", (time.time() - 3601,) * 2)
    scratches.keep_house(demo)
    assert not mine.workspace.path.exists()
    assert "60 minutes passed without a visit" in text_of(shown(app.run()))
    assert mine.workspace.path.exists()


def test_what_was_done_to_a_visitors_jobs_is_said_until_it_was_read(demo, monkeypatch):
    app = visit("add_teacher", TOKEN, monkeypatch)
    (mine,) = scratches.scratches(demo)
    (mine.workspace.path / "notice.txt").write_text("A job of yours was stopped after 20 minutes.")
    assert "stopped after 20 minutes" in text_of(shown(app.run()))
    assert "stopped after 20 minutes" not in text_of(shown(button(app, "Understood").click().run()))


def test_a_demo_that_is_full_says_so(demo, monkeypatch):
    demo.path.mkdir(parents=True)
    demo.settings.write_text('{"demo": {"visitors": 1}}')
    visit("add_teacher", TOKEN, monkeypatch)
    assert "All 1 places of this demo are taken" in text_of(visit("add_teacher", TOKEN[::-1], monkeypatch))


@pytest.mark.parametrize(
    ("name", "offered", "closed"), [("importing", "Drop files", ("On the server", "Public data set"))], ids=["import"]
)
def test_doors_to_the_server_are_not_offered(demo, monkeypatch, name, offered, closed):
    app = visit(name, TOKEN, monkeypatch)
    options = str([group.options for group in app.button_group])
    assert offered in options
    assert not [way for way in closed if way in options]


def test_no_teacher_is_added_in_a_demo(demo, monkeypatch):
    app = visit("add_teacher", TOKEN, monkeypatch)
    assert "Adding a teacher is closed in this demo" in text_of(app)
    assert not app.get("file_uploader")


def test_every_scratchs_jobs_are_the_machines(demo, monkeypatch):
    visit("add_teacher", TOKEN, monkeypatch)
    (mine,) = scratches.scratches(demo)
    job = create(mine.workspace.jobs, "mine", kind="import", spec={}, device="cpu", lane="import")
    assert jobs.queued_jobs(demo.queued_folders, "import") == [job]
    assert Workspace(demo.path).queued_folders == mine.workspace.queued_folders


def test_a_visitor_sees_a_place_and_nothing_of_others(demo, monkeypatch):
    visitors_of = {name: demo.scratch(name) for name in "ab"}
    monkeypatch.setattr(queued.state, "workspace", lambda: visitors_of["b"])
    jobs_of = [
        create(visitors_of[job[0]].jobs, job, kind="import", spec={"title": job[0]}, device="cpu", lane="import")
        for job in ("a0", "b0", "a1", "b1")
    ]
    states.begin(jobs_of[0], os.getpid())
    said = queued.waits_for(jobs_of[3], runs.line(visitors_of["b"], jobs_of[3]))
    assert said.startswith("is number 4 in the line, waits for the import of b and 2 jobs of other visitors, ")


PURE = {"_cost", "_gains", "_paired", "_scores"}  # of numbers alone, or of what comes with the program
OF_ONE = {
    "workspace",
    "folder",
    "revisions",
    "base",
}  # what tells visitors apart


def test_no_cache_gives_one_visitor_what_was_found_for_another():
    found = {}
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any("st.cache_" in ast.unparse(d) for d in node.decorator_list):
                found[node.name] = {argument.arg for argument in node.args.args}
    assert len(found) > 15
    assert [name for name, key in found.items() if name not in PURE and not key & OF_ONE] == []


def test_the_tour_goes_over_the_pages_with_recorded_results(demo, monkeypatch):
    monkeypatch.setattr(visitors, "token_in", lambda cookies: TOKEN)
    asked = []
    monkeypatch.setattr(tour.page, "go", asked.append)
    session = {}
    monkeypatch.setattr(tour.st, "session_state", session)
    monkeypatch.setattr(tour.state, "set_task", lambda name: asked.append(name))
    monkeypatch.setattr(tour.state, "set_comparison", asked.append)
    for step in range(len(tour.STEPS)):
        tour._go(step)
    assert [name for name in asked if name != "quickdraw"] == [
        "task",
        "teachers",
        "features",
        "recorded",
        "results",
        "distill",
    ]


def test_the_tour_begins_where_the_visitor_is_is_in_the_url_and_ends_when_asked(demo, monkeypatch):
    app = visit("add_teacher", TOKEN, monkeypatch)
    app = shown(button(app, "Take the tour").click().run())
    assert "1 of 5: A few labels are all there is" in text_of(app)
    assert app.title[0].value == "Doodles"
    assert app.query_params["tour"] == "1"
    app = shown(button(app, "End the tour").click().run())
    assert "1 of 5" not in text_of(app)
    assert "tour" not in app.query_params
    assert "4 of 5: What the students learned" in text_of(open_page("add_teacher", tour="4"))
    assert "of 5:" not in text_of(open_page("add_teacher", tour="6"))


def test_only_these_ask_the_environment_for_a_workspace():
    """Every page asks `state.workspace()`, which in a demo is the visitor's."""
    found = {path.name for path in (ROOT / "app").rglob("*.py") if "from_environment(" in path.read_text()}
    assert found == {"resumption.py", "server.py", "state.py", "visitors.py"}
