"""One word for one thing: no two classes share a name, and what docs/architecture.md rules out is in no name."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "app").rglob("*.py")])
VERBS = ROOT / "engine" / "cli"  # a file there has the name of its verb
# Modules that have one name because they are the same thing in two rooms.
SAME_THING = {
    "__init__.py": "the face of a package",
    "catalogue.py": "which there are: tasks, teachers",
    "queue.py": "the queue: as jobs drain it, as app and command line use it",
    "records.py": "JSON files: any, and those of a job",
    "spec.py": "what is to be done: training, a run",
}
# A figure of speech, where the field has a word.
RULED_OUT = {
    "by lot: random": r"(^|_)(by_lot|lots?)($|_)",
    "look: extract": r"(^|_)(look|looks|looking)$|^(request|estimate|execute|missing)_look|^Look[A-Z_]|^Look$",
    "tell: progress": r"^_?(tell|telling)$|^Tell",
    "agree: ensemble, propagate": r"(^|_)agree$",
}
ALLOWED = {  # by word: where it has another meaning, which no other word has
    "look: extract": {
        "engine/images/decoder.py",  # at one image, to say its size
        "engine/images/opening.py",  # for a link
        "engine/intake/ingest.py",  # at the images of a source
        "engine/jobs/overview.py",  # at the jobs that wait
        "engine/jobs/queue.py",
        "engine/runs/dispatching.py",
    },
    "tell: progress": {"engine/intake/sources/archive.py"},  # the position in a file, as Python calls it
}


def names(tree):
    """Every identifier of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def public_types(path):
    """Classes and type aliases of a module that others may import."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            name = ast.unparse(node.target)
        else:
            continue
        if not name.startswith("_"):
            yield name


def doubles(found):
    return {name: places for name, places in sorted(found.items()) if len(places) > 1}


def test_no_two_classes_share_a_name():
    found = defaultdict(list)
    for path in FILES:
        for name in public_types(path):
            found[name].append(str(path.relative_to(ROOT)))
    assert len(found) > 200
    assert doubles(found) == {}


def test_modules_of_one_name_are_the_same_thing():
    found = defaultdict(list)
    for path in FILES:
        if path.is_relative_to(ROOT / "engine") and not path.is_relative_to(VERBS):
            found[path.name].append(str(path.relative_to(ROOT)))
    assert set(doubles(found)) == set(SAME_THING)


@pytest.mark.parametrize("word", RULED_OUT)
def test_words_that_are_ruled_out_are_in_no_name(word):
    pattern, wrong = re.compile(RULED_OUT[word]), []
    for path in FILES:
        place = path.relative_to(ROOT).as_posix()
        if place in ALLOWED.get(word, ()):
            continue
        found = {path.stem, *names(ast.parse(path.read_text()))}
        wrong += [f"{place}: {name}" for name in found if pattern.search(name)]
    assert wrong == []


def test_precomputed_outputs_are_not_called_given():
    for path in (ROOT / "engine" / "features").rglob("*.py"):
        assert "given" not in {path.stem, *names(ast.parse(path.read_text()))}, path


def test_nobody_reads_of_a_lot_on_screen():
    for path in FILES:
        texts = [n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)]
        assert [text for text in texts if isinstance(text, str) and re.search(r"\bby lot\b", text, re.I)] == [], path
