"""The floors of the house: a room imports only from rooms below it, and rooms on one floor do not import each other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = [  # from the top; the README draws the same list
    ["app"],
    ["engine.cli"],
    ["engine.benchmark"],
    ["engine.handlers"],
    ["engine.runs"],
    ["engine.predict", "engine.export"],
    ["engine.training"],
    ["engine.consensus"],
    ["engine.weighting", "engine.maps", "engine.probes", "engine.selection"],
    ["engine.similarity", "engine.features"],
    ["engine.teachers", "engine.tasks"],
    ["engine.evaluation", "engine.jobs"],
    ["engine.devices", "engine.confinement"],
    ["engine.results"],
    ["engine.tensors", "engine.records"],
    ["engine.files", "engine.errors", "engine.wording", "engine.uncompiled"],
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
ALLOWED_ON_ONE_FLOOR = {("engine.files", "engine.errors")}
ONLY_ARRAYS = {"engine.similarity", "engine.evaluation", "engine.weighting", "engine.probes", "engine.selection"} | {
    "engine.consensus"
}


def room_of(module):
    parts = module.split(".")
    return parts[0] if parts[0] == "app" else ".".join(parts[:2])


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module in ("engine", "app"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows():
    for path in sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "app").rglob("*.py")]):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if module in ("engine.__init__", "engine.__main__"):
            continue
        for imported in imports(path):
            if imported.split(".")[0] in ("engine", "app") and imported not in ("engine", "app"):
                yield path.relative_to(ROOT), room_of(module), room_of(imported)


def test_every_room_is_on_a_floor():
    rooms = {p.stem if p.is_file() else p.name for p in (ROOT / "engine").iterdir() if not p.name.startswith("__")}
    assert {f"engine.{room}" for room in rooms} <= set(LEVEL)


def test_rooms_import_only_from_below():
    wrong = [
        f"{path}: {source} imports {target}"
        for path, source, target in arrows()
        if source != target and LEVEL[target] <= LEVEL[source] and (source, target) not in ALLOWED_ON_ONE_FLOOR
    ]
    assert wrong == []


def test_the_check_sees_a_wrong_arrow():
    assert LEVEL["engine.runs"] <= LEVEL["engine.training"]
    assert any(source == "engine.runs" and target == "engine.training" for _, source, target in arrows())


def test_array_rooms_know_arrays_only():
    known = ONLY_ARRAYS | {"engine.errors"}
    assert [
        (str(path), target) for path, source, target in arrows() if source in ONLY_ARRAYS and target not in known
    ] == []


@pytest.mark.parametrize("forbidden", ["streamlit", "app"])
def test_engine_imports_without_the_app(forbidden):
    code = (
        "import pkgutil, sys, importlib, engine\n"
        "for m in pkgutil.walk_packages(engine.__path__, 'engine.'):\n"
        "    if m.name != 'engine.__main__': importlib.import_module(m.name)\n"
        f"assert {forbidden!r} not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
