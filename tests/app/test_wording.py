import ast
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from app.components import wording

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (8, "8 s"), (59.6, "1 min 0 s"), (95, "1 min 35 s"), (1800, "30 min"), (4020, "1 h 7 min")],
)
def test_durations_are_rounded_to_what_matters(seconds, text):
    assert wording.duration(seconds) == text


def test_shares_and_differences():
    assert wording.percent(0.615) == "61.5\u00a0%"
    assert wording.percent(0.325, 0) == "33\u00a0%"
    assert wording.points(0.0523) == "+5.2"
    assert wording.points(-0.0523) == "−5.2"
    assert wording.points(0.0002) == wording.points(-0.0002) == "0.0"
    assert wording.number(-1.84, ".1f") == "−1.8"
    assert wording.number(-0.04, ".1f") == "0.0"
    assert wording.number(-1234.5, ",.4g") == "−1,234"


def test_counts_and_lists():
    assert wording.count(1, "seed") == "1 seed"
    assert wording.count(24_000, "image") == "24,000 images"
    assert wording.count(3, "class", "classes") == "3 classes"
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert wording.listed([]) == ""


def test_moments():
    assert wording.moment("2026-11-20T07:05:00+00:00") == "20 Nov 2026, 07:05 UTC"
    assert wording.moment("some day") == "some day"


def test_what_is_shared_is_one_sentence():
    shared = {"images": 24_000, "task": "quickdraw", "size": 64, "seeds": [0, 1], "labels_per_class": 5}
    assert wording.shared_sentence(shared) == (
        "These runs share: task quickdraw, 5 labels per class, seeds 0, 1, 24,000 student images each, "
        "images of 64 × 64 pixels."
    )


def test_all_labels_are_said_in_place_of_a_number_per_class():
    shared = {"task": "leaves", "seeds": [0], "labels_per_class": 312, "all_labels": 1083}
    assert wording.shared_sentence(shared) == "These runs share: task leaves, all 1,083 labels, seed 0."


def test_what_is_not_shared_is_said_only_when_there_is_something():
    assert wording.differs_sentence([]) is None
    assert wording.differs_sentence(["images", "seeds"]) == (
        "These runs do not share: the budget of student images and the seeds. Their numbers do not compare fairly."
    )


def test_how_long_ago():
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    told = [
        wording.ago(f"2026-11-{moment}:00+00:00", now) for moment in ("20T11:59", "20T11:20", "20T08:00", "17T12:00")
    ]
    assert told == ["just now", "40 min ago", "4 h ago", "3 days ago"]
    assert wording.ago("some day", now) == "some day"


SOURCES = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "engine").rglob("*.py")])
PLAIN = re.compile(r"[0-9}] ?%(?![{\w(])")  # "20%", or "20 %" with a space at which a line may break


def texts(tree):
    """Parts of strings that a user may read, with their line: no docstrings, no styles of HTML."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    forms = {id(part) for node in ast.walk(tree) if isinstance(node, ast.FormattedValue) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | forms:
            if not (";" in node.value and ":" in node.value):
                yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            for first, second in pairwise(node.values):
                named = isinstance(first, ast.FormattedValue) and ast.unparse(first.value) != "NO_BREAK"
                if named and isinstance(second, ast.Constant):
                    yield node.lineno, f"}}{second.value}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_numbers_have_one_style(path):
    """Percent and minus signs come from `engine.wording`, or are written with its signs."""
    tree = ast.parse(path.read_text())
    assert [(line, text) for line, text in texts(tree) if PLAIN.search(text)] == [], "write \\u00a0%"
    if path.name == "wording.py":
        return
    forms = [node.format_spec for node in ast.walk(tree) if isinstance(node, ast.FormattedValue) and node.format_spec]
    assert [ast.unparse(form) for form in forms if "+" in ast.unparse(form)] == [], "use signed() or points()"
    assert '.replace("-", "−")' not in path.read_text(), "use number()"


@pytest.mark.parametrize("text", ['f"{x} % of it"', 'f"20% of {x}"', '"5 % of it"', 'f"%{{y:.1f}} %"'])
def test_the_check_of_styles_sees_what_is_wrong(text):
    assert any(PLAIN.search(found) for _, found in texts(ast.parse(f"a = {text}")))


@pytest.mark.parametrize("text", ['f"{x}{NO_BREAK}% of it"', '"20\\u00a0% of it"', '"width: 20%; height: 3%"'])
def test_the_check_of_styles_sees_what_is_right(text):
    assert not any(PLAIN.search(found) for _, found in texts(ast.parse(f"a = {text}")))
