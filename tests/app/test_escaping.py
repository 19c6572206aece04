"""What users write is shown as they wrote it: nothing of it becomes a link, an image, an icon or HTML on any page."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app import queues
from app.components import escaping
from app.components.escaping import JOINER, escape, escape_badge, escape_chart
from app.views.add_teacher.draft import AddTeacherDraft
from app.views.learn.draft import LearnDraft
from engine.features import add_outputs
from engine.intake import ImportRequest, import_images
from engine.lessons import lesson_material
from engine.runs import plan, start
from engine.tasks import usual_draw
from engine.tasks.task import load_task
from engine.teachers import TeacherDescription
from engine.workspace import Workspace
from tests.app import made_runs
from tests.app.made_features import extracted
from tests.app.pages import open_page, shown
from tests.engine.intake import made_sources as made

# Each begins something of Markdown, of Streamlit's own or of Plotly's.
HOSTILE = "www.evil.example http://evil.example me@evil.example <b>x</b> ![i](//e/i.png) :material/home: %{y} a -> b"
HOSTILE_CLASS = "<b>www.evil.example :smile: &lt;"
RAW = ("www.", "http:/", "me@", "<b>", "![", ":material/home", ":smile", "->", "&lt;")  # as Streamlit would read them
LITERAL = {"options", "default", "id", "key", "form_id", "figure", "data", "url", "element_id", "placeholder", "proto"}
LITERAL |= {"raw_value", "raw_values"}  # which of the options are chosen


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("www.a.org", f"www{JOINER}.a.org"),
        ("https://a.org", rf"https{JOINER}\://a.org"),
        ("a@b.org", f"a{JOINER}@b.org"),
        (":smile:", rf"\:{JOINER}smile\:"),
        (":material/home:", rf"\:{JOINER}material/home\:"),
        ("a -> b -- c", rf"a -{JOINER}\> b -{JOINER}- c"),
        ("*a* [b](c) <i> &amp;", r"\*a\* \[b\]\(c\) \<i\> \&amp;"),
        ("- a\n12. b\n    c", "\\- a\n12\\. b\nc"),
        (" a ", "a"),
        ("Löwen, 12:30, 1.5 mm, a-b", r"Löwen, 12\:30, 1.5 mm, a-b"),
    ],
)
def test_markdown_of_every_kind_is_escaped(text, escaped):
    assert escape(text) == escaped
    assert escape_badge(text) == escaped.replace(r"\[", "[").replace(r"\]", "]")


def test_charts_get_no_html_and_no_names_of_values():
    assert escape_chart("<a href='x'>%{y} & &lt;") == "&lt;a href='x'&gt;%&#123;y} &amp; &amp;lt;"


@pytest.fixture(scope="module")
def made_hostile(tmp_path_factory, decoder):
    """A workspace in which a task, its classes and a teacher are called what nobody would call them."""
    folder = tmp_path_factory.mktemp("hostile")
    home = Workspace(folder / "workspace")
    files = made.classes_of(12, names=("lion", HOSTILE_CLASS), prefix="labeled/")
    files |= {f"unlabeled/www.evil.example {i}.jpg": made.jpg(5000 + i) for i in range(12)}
    source = made.zipped(folder / "cats.zip", files)
    import_images(home, ImportRequest(str(source), HOSTILE, name="hostile"), decoders=decoder)
    return home


@pytest.fixture
def hostile(made_hostile, home, tmp_path, monkeypatch):
    shutil.copytree(made_hostile.tasks, home.tasks)
    task = load_task(home, "hostile")
    path = tmp_path / "outputs.parquet"
    random = np.random.default_rng(0)
    columns = {"features": list(random.normal(size=(len(task.images), 8)).astype(np.float32))}
    columns["pseudo_labels"] = list(random.dirichlet(np.ones(2), len(task.images)).astype(np.float32))
    pq.write_table(pa.table({"image_id": task.images.image_ids, **columns}), path)
    about = TeacherDescription(title=HOSTILE, collection=HOSTILE, license=HOSTILE)
    add_outputs(home, task, path, "outputs.parquet", about, classes=[HOSTILE_CLASS, "lion"])
    extracted(home, task, np.arange(len(task.images)), {})
    monkeypatch.setattr(queues, "queue", lambda device: None)
    return task


def strings(message, path=""):
    """All texts in a message to the browser that are Markdown, with where they are."""
    for field, value in message.ListFields():
        if field.name in LITERAL:
            continue
        here = f"{path}.{field.name}"
        for item in value if field.is_repeated else [value]:
            if field.message_type is not None:
                if hasattr(item, "ListFields"):
                    yield from strings(item, here)
            elif isinstance(item, str):
                yield here, item


def unescaped(text):
    """A text without what is escaped in it."""
    return text.replace("\\&", "")


def elements(block):
    for child in block.children.values():
        if hasattr(child, "children"):
            yield child
            yield from elements(child)
        else:
            yield child


# Shown by the browser as plain text: tables, options of a list that drops down, fields, our own component.
PLAIN = {"arrow_data_frame", "text_input", "text_area", "code", "bidi_component", "json"}


def problems(app):
    found = []
    for block in (app.main, app.sidebar):
        for element in elements(block):
            kind = element.type
            proto = getattr(element, "proto", None)
            if kind == "table":  # whose cells are Markdown
                cells = [str(cell) for cell in element.value.to_numpy().ravel()]
                found += [f"table: {cell}" for cell in cells for raw in RAW if raw in unescaped(cell)]
                continue
            if proto is None or kind in PLAIN:
                continue
            if kind == "plotly_chart":  # names of values are read in templates alone
                found += chart_problems(json.loads(proto.spec))
                continue
            if kind == "html":
                found += [f"html: {proto.body}"] if "<b>" in proto.body else []
                continue
            literal = "options" if kind in ("selectbox", "multiselect") else None
            texts = [*strings(proto)]
            if literal is None:
                texts += [("options", str(getattr(o, "content", o))) for o in getattr(proto, "options", ())]
            found += [f"{kind}{where}: {text}" for where, text in texts for raw in RAW if raw in unescaped(text)]
    return found


def chart_problems(value, name=""):
    """Texts of a chart in which Plotly finds HTML, or in a template the name of a value."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in chart_problems(inner, key)]
    if isinstance(value, list):
        return [found for inner in value for found in chart_problems(inner, name)]
    wrong = ("<b>",) if name != "hovertemplate" else ("<b>", "%{y} a")
    return [f"chart, {name}: {value}"] if isinstance(value, str) and any(part in value for part in wrong) else []


PAGES = [
    ("start", {}),
    ("task", {}),
    ("task", {"part": "check"}),
    ("teachers", {}),
    ("features", {}),
    ("distill", {}),
    ("results", {}),
    ("add_teacher", {AddTeacherDraft.key(): AddTeacherDraft(way="added")}),
    ("add_teacher", {AddTeacherDraft.key(): AddTeacherDraft(way="outputs")}),
]


@pytest.mark.parametrize(("name", "session"), PAGES)
def test_no_page_reads_what_a_user_wrote(hostile, home, name, session):
    if name in ("distill", "results"):
        comparison = start(
            home,
            plan(home, hostile, ["fine-tune", "fixmatch"], [0], device="cpu", labels_per_class=3),
        )
        made_runs.finish(home, comparison)
    app = open_page(name, session=session, task="hostile")
    assert problems(app) == []


def test_no_lesson_reads_what_a_user_wrote(hostile):
    names = [teacher.name for teacher in lesson_material(hostile.workspace, hostile, usual_draw(hostile)).spread(6)]
    chosen = {
        "pseudo-labels": {"guess": names[0]},
        "ranking": {"order": ",".join(names)},
        "weights": {"effective": "1"},
    }
    chosen |= {"pairs": {"place": "1"}, "consensus": {"class": HOSTILE_CLASS}, "labels": {"task-of": "mnist"}}
    chosen |= {"bias": {"class": HOSTILE_CLASS, "as": "lion"}}
    values = {
        ("hostile", key, name): value for key, found in chosen.items() for name, value in {**found, "show": "1"}.items()
    }
    draft = LearnDraft(subject="hostile", values=values)
    app = open_page("learn", session={LearnDraft.key(): draft}, task="hostile")
    for key in chosen:
        app = shown(app.selectbox(key="widget lesson").set_value(key).run())
        assert not [button for button in app.button if button.key == f"show {key}"], f"{key} shows its answer"
        assert problems(app) == [], key


def test_the_check_sees_what_is_not_escaped(hostile, monkeypatch):
    monkeypatch.setattr(escaping, "escape", lambda text: text)  # a page's script imports it anew each time
    assert problems(open_page("start", task="hostile"))
