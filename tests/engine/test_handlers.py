"""A worker loads what its own kind of job needs, and no more."""

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import runs, uncompiled
from engine.errors import UnknownNameError
from engine.handlers import HANDLERS

ROOT = Path(__file__).resolve().parents[2]
COMPILER = {"sympy", "torch._inductor", "torch.utils.flop_counter", "triton"}
NEVER = {"streamlit", "umap", "numba", "pandas", "sklearn", "scipy.stats", "scipy.linalg", "matplotlib"}
FORBIDDEN = {  # in the order in which one process loads them, each on top of the ones before
    "import": NEVER | COMPILER | {"torch", "timm", "torchvision", "scipy", "pydicom", "tifffile", "imagecodecs"},
    "add-hub": NEVER | COMPILER,
    "add-checkpoint": NEVER | COMPILER,
    "add-outputs": NEVER | COMPILER,
    "map": NEVER | COMPILER,
    "student-maps": NEVER | COMPILER,
    "extraction": NEVER | COMPILER,
    "look": NEVER | COMPILER,
    "panel": NEVER | COMPILER,
    "suspects": NEVER | COMPILER,
    "predictions": NEVER | COMPILER,
    "speed": NEVER | COMPILER,
    "run": NEVER | COMPILER,
    "predict": NEVER | COMPILER,
    "formats": NEVER | COMPILER,
}
LOAD = """
import json, sys
from pathlib import Path
from engine.handlers import HANDLERS
found = {}
for kind in json.loads(sys.argv[1]):
    HANDLERS[kind]
    found[kind] = sorted(sys.modules)
import torch
from engine.devices import set_up
from engine.review import open_task
from engine.tasks import Draw
from engine.workspace import Workspace
assert len(open_task(Workspace(Path(sys.argv[2])), "emoji-fluent").labeled_rows(Draw(1, 0)))
set_up("cpu")
assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([weight], lr=1.0)
weight.sum().backward()
optimizer.step()
assert weight.tolist() == [0.0, 0.0]
found["a step"] = sorted(sys.modules)
import pandas
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    command = [sys.executable, "-c", LOAD, json.dumps(list(FORBIDDEN)), str(tmp_path_factory.mktemp("workspace"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {kind: set(modules) for kind, modules in json.loads(done.stdout).items()}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_a_worker_loads_what_its_kind_needs(loaded, kind):
    assert loaded[kind] & FORBIDDEN[kind] == set()


def test_reading_a_task_and_a_step_of_training_load_no_more(loaded):
    assert loaded["a step"] & (NEVER | COMPILER) == set()


def test_every_kind_is_looked_at():
    assert set(FORBIDDEN) == set(HANDLERS)


def test_kinds_are_those_that_their_makers_ask_for():
    for kind, handler in HANDLERS.items():
        maker = sys.modules[handler.__module__]
        own = getattr(maker, "KIND", runs.KIND)  # that of runs is with their spec
        assert kind in (own, getattr(maker, "OLD_KIND", own))


def test_an_unknown_kind_is_a_sentence():
    assert "dance" not in HANDLERS
    with pytest.raises(UnknownNameError, match="kind of job named 'dance'"):
        HANDLERS["dance"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is slow to load, as one imagines."""
    folder = tmp_path / "slow_to_load"
    folder.mkdir()
    (folder / "__init__.py").write_text("from slow_to_load import parts\nanswer = 'real'\nother = parts.other\n")
    (folder / "parts.py").write_text("answer = 'real part'\nother = 1\n")
    (folder / "more.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    uncompiled.defer("slow_to_load", {"": {"answer": "known"}, "parts": {"answer": "known part"}})
    yield folder
    for name in [name for name in sys.modules if name.startswith("slow_to_load")]:
        del sys.modules[name]


def real():
    return not isinstance(sys.modules["slow_to_load"], uncompiled.Deferred)


def test_what_is_known_of_a_package_does_not_load_it(package):
    import slow_to_load
    from slow_to_load.parts import answer

    assert (slow_to_load.answer, answer) == ("known", "known part")
    assert not hasattr(slow_to_load, "__file__")  # as inspect asks of all modules
    assert not real()


@pytest.mark.parametrize("name", ["slow_to_load:other", "slow_to_load.parts:other", "slow_to_load.more"])
def test_anything_else_loads_it(package, name):
    pkgutil.resolve_name(name)
    assert real()
    assert pkgutil.resolve_name("slow_to_load:answer") == "real"
    assert pkgutil.resolve_name("slow_to_load.parts:answer") == "real part"


def test_a_package_that_is_loaded_stays(package):
    uncompiled.load("slow_to_load")
    uncompiled.defer("slow_to_load", {"": {"answer": "known"}})
    assert real()
