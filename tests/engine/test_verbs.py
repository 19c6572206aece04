"""`import engine` in a notebook: the example of its docstring, and what importing it costs."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

import engine
from engine.errors import UnknownNameError


def example():
    """The indented lines of the package's docstring."""
    return textwrap.dedent("\n".join(re.findall(r"^    \S.*$", engine.__doc__, re.M)))


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name, level in (("oak", 60), ("maple", 180)):
        (tmp_path / "leaves" / name).mkdir(parents=True)
        for number in range(10):
            pixels = (level + random.integers(-40, 40, (32, 32, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "leaves" / name / f"{number}.png")
    assert len(example().strip().splitlines()) <= 10
    found = {}
    exec(example(), found)
    assert found["leaves"].name == "leaves"
    assert found["compared"]["failed"] == []
    assert found["compared"]["results"][0]["images"] == 160
    assert (tmp_path / "student" / "student.safetensors") in [path.absolute() for path in found["files"]]
    assert "DistillNearest" in capsys.readouterr().out


def test_what_does_not_exist_is_a_sentence(tmp_path):
    workspace = engine.open_workspace(tmp_path / "new")
    assert workspace.path.is_dir()
    with pytest.raises(UnknownNameError, match="no task named 'nothing'"):
        engine.rank(workspace, "nothing")
    with pytest.raises(UnknownNameError, match="no run named 'nothing'"):
        engine.export(workspace, "nothing", tmp_path / "out")
    with pytest.raises(AttributeError, match="vanish"):
        _ = engine.vanish


def test_importing_the_package_loads_no_library_and_its_verbs_are_named():
    code = "import sys, engine; print({'torch', 'numpy', 'engine.verbs'} & set(sys.modules) or 'light', *dir(engine))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed[0] == "light"
    assert set(engine.__all__) - {"__version__"} == {"compare", "export", "import_images", "open_workspace", "rank"}
    assert set(engine.__all__) <= set(printed)
