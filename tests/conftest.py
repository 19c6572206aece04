"""Fixtures of every test: a workspace of its own, and one thread, so that tests do not fight over the processor."""

import ctypes
import gc
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WORKBENCH_WARM_WORKERS", "0")  # a page that a test draws loads no libraries for a job to come
os.environ["HF_HUB_OFFLINE"] = "1"  # no test waits for a network that may not be there

import pytest

from engine.installation import importing
from engine.workspace import Workspace

# Libraries are imported below, where they are used: the process that hands the tests out needs none of them.
os.environ.update(importing())  # the processes that tests start find this engine, wherever they start

# Files whose tests take minutes together, however few they are: begun first, so that no worker is left alone with one.
LONGEST = (
    "hostile/test_hostile.py",
    "browser/",
    "test_scale.py",
    "faults/",
    "engine/training/test_train.py",
    "engine/runs/test_execution.py",
    "engine/test_cli.py",
    "test_gpu_benchmark.py",
    "test_package.py",
)


def pytest_collection_modifyitems(items):
    """Put the longest files first; within a file the order stays."""
    items.sort(
        key=lambda item: next((i for i, name in enumerate(LONGEST) if f"tests/{name}" in item.path.as_posix()), 99)
    )


def pytest_collection_finish():
    """What was imported stays: no later collection looks through it again, of which Streamlit wants one after each run
    of a page (`app/main.py` does the same).
    """
    import torch

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def exact_small_numbers():
    """Training flushes denormal numbers to zero, for the whole thread; no other test is to feel it."""
    import torch

    yield
    torch.set_flush_denormal(False)


@pytest.fixture(autouse=True, scope="module")
def memory_given_back():
    """What a test file allocated goes back to the system: malloc and Arrow keep it, hundreds of MB in the end."""
    import pyarrow as pa

    yield
    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty workspace."""
    folder = tmp_path / "workspace"
    monkeypatch.setenv("WORKBENCH_HOME", str(folder))
    return Workspace(folder)


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory):
    """A workspace that tests share for what they only read, such as extracted features."""
    return Workspace(tmp_path_factory.mktemp("shared-workspace"))


@pytest.fixture(scope="session")
def emoji(shared_home):
    """The smallest bundled task."""
    from engine.review import open_task

    return open_task(shared_home, "emoji-fluent")
