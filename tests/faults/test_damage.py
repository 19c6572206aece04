"""A slice of the campaign of `make faults`: one file damaged, and what the pages and verbs that read it say."""

import pytest
import torch

from engine.tasks import catalogue
from tests.faults import damage, workspace
from tests.faults.ways import ways

# kind of file, way, pages, verbs: those that read it, once for each kind of reader
CASES = [
    ("task.json", "title is a number", ["start", "task"], ["tasks"]),
    ("task.json", "nested too deep", ["start", "task"], ["tasks"]),
    ("task.json", "gone", ["start"], ["tasks"]),
    ("task.json", "a folder", ["start"], ["tasks"]),
    ("task.json", "decisions.findings is a list", ["check"], ["rank"]),
    ("task.json", "without given_classes", ["label", "check"], []),
    ("task.json", "without classes", ["start"], ["rank"]),
    ("images.parquet", "cut at 50%", ["start", "task"], ["tasks"]),
    ("facts.parquet", "random bytes", ["check"], []),
    ("facts.parquet", "a folder", ["check"], []),
    ("import.json", "a list", ["start"], []),
    ("labels", "1 flipped bytes", ["start"], ["rank"]),
    ("split", "gone", ["start"], ["rank"]),
    ("teacher's record.json", "classes is a number", ["teachers"], ["teachers"]),
    ("teacher's outputs", "200 flipped bytes", ["teachers"], ["rank"]),
    ("comparison", "runs is an object", ["results"], []),
    ("job.json, done", "spec.train is a list", ["distill", "results"], ["compare"]),
    ("job.json, of version 0.1", "spec.train is a list", ["distill", "results"], []),
    ("status.json, done", "half a sign", ["distill"], []),
    ("result.json", "a list", ["results", "distill"], ["compare"]),
    ("result.json", "without accuracy", ["results"], ["compare"]),
    ("result.json", "gone", ["results", "distill"], ["compare"]),
    ("result.json", "null", ["distill"], ["compare"]),
    ("student", "200 flipped bytes", [], ["export"]),
    ("student.json", "classes is null", [], ["export"]),
    ("events.jsonl, stopped", "a point without its fields", ["distill"], []),
    ("checkpoint", "empty", [], ["job"]),
    ("predictions.parquet", "200 flipped bytes", ["errors"], []),
    ("predictions.parquet", "another file's content", ["trust"], []),
    ("part of predictions", "cut at 50%", ["predict"], []),
    ("job.json, predictions", "a list", ["predict"], []),
    ("job.json, predictions", "without kind", ["predict"], []),
    ("table.json of formats", "a list", ["take away"], []),
    ("result.json", "a number", [], ["report"]),
    ("comparison", "another file's content", [], ["report"]),
]
MENDED = ("checkpoint",)  # training begins anew, which its log says


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "ASSETS", tmp_path_factory.mktemp("assets"))  # copying the bundled tasks takes seconds
        folder = workspace.make(tmp_path_factory.mktemp("damaged"))
        patch.setenv("WORKBENCH_HOME", str(folder.path))
        threads = torch.get_num_threads()
        torch.set_num_threads(2)  # as when the runs were made: they are compared again under their own names
        workspace.renew(folder)
        workspace.extend(folder)
        yield folder
        torch.set_num_threads(threads)


@pytest.mark.parametrize(("kind", "way", "pages", "verbs"), CASES, ids=[f"{kind}: {way}" for kind, way, *_ in CASES])
def test_one_damaged_file_is_a_sentence_and_takes_nothing_else(home, kind, way, pages, verbs):
    path = workspace.kinds(home)[kind]
    chosen = next(found for found in ways(home.path / path) if found.name == way)
    looks = list(damage.examined(home, path, chosen, pages, verbs))
    assert {one.name: one.error for one in looks if one.error} == {}
    if kind not in MENDED:
        for one in looks:
            assert path.name in one.text, f"{one.name} says nothing of {path.name}"
    for one in looks:
        if one.name in ("start", "tasks"):
            assert all(name in one.text for name in damage.NEIGHBORS)
