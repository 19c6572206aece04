"""The house as docs/architecture.md draws it: floors, no circles, and doors that are used."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "architecture.md"
NO_ROOMS = ("__init__", "__main__")  # modules of `engine` itself, above all rooms
ONLY_ARRAYS = {"similarity", "evaluation", "weighting", "probes", "selection", "neighborhoods", "consensus"}
# Names of paths that are no part of a workspace.
OUTSIDE = {"source", "out", "path", "file", "upload", "csv", "parquet"}


def block(document, heading):
    """The fenced block under a heading of a document."""
    return re.search(rf"^## {heading}\n.*?^```text\n(.*?)^```", document.read_text(), re.S | re.M)[1]


def floors():
    """The rooms from the top, floor by floor: the names at the beginnings of lines, until a comma no more ends them."""
    rooms = [[]]
    for line in block(DOCUMENT, "Floors").splitlines():
        names = re.split(r"\s{2,}", line[2:] if re.match(r"  \S", line) else line)[0]
        rooms[-1] += [name.strip() for name in names.split(",") if name.strip()]
        if names and not names.endswith(","):
            rooms.append([])
    return rooms[:-1]


FLOORS = floors()
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module):
    first, *further = module.split(".")
    return further[0] if first == "engine" and further else first


@cache
def modules():
    """Every module of the engine and the app, by its name."""
    found = {}
    for path in sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "app").rglob("*.py")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source, known):
    """The modules of `known` that a source imports at any place, in functions and for types alone as well."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


@cache
def graph():
    return {name: set(imports(path.read_text(), modules())) for name, path in modules().items()}


def arrows():
    """(module, its room, a room that it imports from), for every room but its own."""
    for module, targets in graph().items():
        if module in ("engine", "engine.__main__"):
            continue
        for target in sorted(targets - {"engine"}):
            if room_of(module) != room_of(target):
                yield module, room_of(module), room_of(target)


def circles(edges):
    """Groups of modules that import each other in a circle (strongly connected; Tarjan 1972)."""
    numbers, lowest, stack, found = {}, {}, [], []

    def visit(node):
        numbers[node] = lowest[node] = len(numbers)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in numbers:
                visit(other)
            if other in stack:
                lowest[node] = min(lowest[node], lowest[other])
        if lowest[node] == numbers[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1 or node in edges.get(node, ()):
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in numbers:
            visit(node)
    return found


def test_the_rooms_are_those_that_the_document_names():
    rooms = {p.stem if p.is_file() else p.name for p in (ROOT / "engine").iterdir()} - {*NO_ROOMS, "__pycache__"}
    assert rooms | {"app"} == set(LEVEL)
    assert len(LEVEL) == sum(len(rooms) for rooms in FLOORS), "a room is on one floor"


def test_the_readme_draws_the_same_way_through():
    way = block(DOCUMENT, "One way through")
    assert way in (ROOT / "README.md").read_text()
    assert set(way.split("\n", 1)[1].split()) <= set(LEVEL)


def test_rooms_import_only_from_below():
    wrong = [f"{module} imports {to}" for module, room, to in arrows() if LEVEL[to] <= LEVEL[room]]
    assert wrong == []


def test_the_check_sees_a_wrong_arrow():
    assert LEVEL["runs"] < LEVEL["training"]
    assert any(room == "runs" and to == "training" for _, room, to in arrows())


def test_no_imports_go_in_a_circle():
    assert circles(graph()) == []


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
        ({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}, []),
        ({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c", "a"}}, [["a", "b"], ["c", "d"]]),
    ],
)
def test_a_circle_is_seen(edges, found):
    assert circles(edges) == found


def test_imports_for_types_and_late_imports_count():
    source = "if TYPE_CHECKING:\n    from a import b\ndef f():\n    from a.c import X\n    import a.d\n"
    assert set(imports(source, {"a", "a.b", "a.c", "a.d"})) == {"a.b", "a.c", "a.d"}


def test_the_app_takes_names_of_a_package_and_not_of_its_insides():
    found = {
        target
        for module, targets in graph().items()
        for target in targets
        if module.split(".")[0] == "app" and target.startswith("engine.") and target.count(".") > 1
    }
    assert found == set()


def workspace_and_path(source):
    """Functions that take a workspace and, beside it, a path inside of it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [a for a in ast.walk(node.args) if isinstance(a, ast.arg) and a.annotation]
            kinds = {a.arg: ast.unparse(a.annotation) for a in arguments}
            paths = {
                name for name, kind in kinds.items() if re.search(r"\bPath\b", kind) and "Callable" not in kind
            } - OUTSIDE
            if paths and any(re.search(r"\bWorkspace\b", kind) for kind in kinds.values()):
                yield node.name


def test_no_function_takes_a_workspace_and_a_path_inside_it():
    found = [(name, f) for name, path in modules().items() for f in workspace_and_path(path.read_text())]
    assert found == []


def test_a_workspace_and_a_path_inside_it_are_seen():
    functions = ("a(w: Workspace, folder: Path)", "b(w: Workspace, out: Path)", "c(folder: Path | None)")
    source = "\n".join(f"def {function}: ..." for function in functions)
    assert list(workspace_and_path(source)) == ["a"]


def test_array_rooms_know_arrays_only():
    known = ONLY_ARRAYS | {"errors"}
    assert [(module, to) for module, room, to in arrows() if room in ONLY_ARRAYS and to not in known] == []


def test_engine_imports_without_the_app():
    code = (
        "import pkgutil, sys, importlib, engine\n"
        "for m in pkgutil.walk_packages(engine.__path__, 'engine.'):\n"
        "    if m.name != 'engine.__main__': importlib.import_module(m.name)\n"
        "assert not {'streamlit', 'app'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
