"""`import engine` in a notebook: the example of its docstring, and what importing it costs."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

import engine
from engine.errors import InvalidInputError, StorageError, UnknownNameError, WorkbenchError
from engine.runs import queue


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
    assert len(found["table"]) == 20
    assert set(found["table"]["class"]) <= {"oak", "maple"}
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


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda w: engine.open_workspace(5), "folder is 5: pass a path"),
        (lambda w: engine.rank("place", "mnist"), "workspace is 'place': pass what open_workspace gives"),
        (lambda w: engine.import_images(w, None), "source is None: pass a text"),
        (lambda w: engine.import_images(w, "nowhere"), "nowhere does not exist"),
        (lambda w: engine.import_images(w, ".", name=7), "name is 7: pass a text"),
        (lambda w: engine.import_images(w, ".", splitt="given"), "no import option named 'splitt': did you mean split"),
        (lambda w: engine.import_images(w, ".", split=5), "split is 5: expected str, got int"),
        (lambda w: engine.import_images(w, ".", classes="ab"), "classes is 'ab': expected a list, got str"),
        (lambda w: engine.rank(w, 5), "task is 5: pass a text"),
        (lambda w: engine.rank(w, "quickdraw", metric=3), "metric is 3: pass a text"),
        (lambda w: engine.rank(w, "quickdraw", teachers="mnist"), "teachers is 'mnist': pass a list of names"),
        (lambda w: engine.rank(w, "quickdraw", labels_per_class=2.5), "labels_per_class is 2.5: pass a whole number"),
        (lambda w: engine.rank(w, "quickdraw", seed=None), "seed is None: pass a whole number"),
        (lambda w: engine.rank(w, "quickdraw", resamples="x"), "resamples is 'x': pass a whole number"),
        (lambda w: engine.rank(w, "quickdraw", device=0), "0 is no device"),
        (lambda w: engine.compare(w, "quickdraw", "fine-tune"), "methods is 'fine-tune': pass a list of names"),
        (lambda w: engine.compare(w, "quickdraw", [1]), "methods is 1: pass a text"),
        (lambda w: engine.compare(w, "quickdraw", seeds=[]), "at least one method and one seed"),
        (lambda w: engine.compare(w, "quickdraw", seeds=3), "seeds is 3: pass a list of whole numbers"),
        (lambda w: engine.compare(w, "quickdraw", seeds=[0.5]), "seeds is 0.5: pass a whole number"),
        (lambda w: engine.compare(w, "quickdraw", imges=3), "no training field named 'imges': did you mean images"),
        (lambda w: engine.compare(w, "quickdraw", images="many"), "images is 'many': choose a whole number"),
        (lambda w: engine.compare(w, "quickdraw", architecture=3), "no timm architecture named '3'"),
        (lambda w: engine.export(w, 4, "out"), "run is 4: pass a text"),
        (lambda w: engine.predict(w, "run", 4), "source is 4: pass a path"),
        (lambda w: engine.predict(w, "run", "images", unsure="x"), "unsure is 'x': pass a number"),
        (lambda w: engine.predict(w, "run", "images"), "no run named 'run'"),
    ],
)
def test_what_cannot_be_is_a_sentence(tmp_path, call, sentence):
    with pytest.raises(WorkbenchError) as refused:
        call(engine.open_workspace(tmp_path))
    assert sentence in str(refused.value)


def test_numbers_of_numpy_are_numbers(tmp_path):
    with pytest.raises(InvalidInputError, match="images is 0"):  # which is looked at after them
        engine.compare(engine.open_workspace(tmp_path), "quickdraw", seeds=np.arange(2), images=0)


def test_a_comparison_whose_queue_cannot_go_on_waits_no_longer(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise StorageError("The disk is full: make room.")

    monkeypatch.setattr(queue, "drain", refuse)
    with pytest.raises(StorageError, match="make room"):
        engine.compare(engine.open_workspace(tmp_path), "quickdraw", ["fine-tune"], device="cpu", images=80)


def test_importing_the_package_loads_no_library_and_its_verbs_are_named():
    code = "import sys, engine; print({'torch', 'numpy', 'engine.verbs'} & set(sys.modules) or 'light', *dir(engine))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed[0] == "light"
    verbs = {"compare", "export", "finish", "import_images", "open_workspace", "predict", "rank", "run"}
    assert set(engine.__all__) - {"__version__"} == verbs
    assert set(engine.__all__) <= set(printed)
