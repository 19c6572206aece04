"""About how long what waits has to wait."""

from dataclasses import replace

import pytest

from engine import jobs, maps
from engine.features.extraction import LOADING
from engine.jobs import INTERACTIVE, create
from engine.methods import get_method
from engine.runs import estimate_extraction, request_extraction, request_panel, request_speed, seconds_left
from engine.runs.estimates import LOADING_UMAP, drawing_seconds
from engine.tasks import Draw


def left(home, job, **changes):
    return seconds_left(home, job, replace(jobs.status(job), **changes))


def test_a_ranking_that_waits_takes_what_its_page_says(home, emoji):
    job = request_extraction(home, emoji, Draw(2, 0), "cpu")
    assert left(home, job) == estimate_extraction(home, emoji, Draw(2, 0), "cpu").seconds


def test_a_map_takes_the_longer_the_larger_its_teacher(home, emoji):
    small, large = (left(home, maps.request_map(home, emoji, name, "cpu")) for name in ("mnist", "imagenet-lite2"))
    assert LOADING_UMAP < small < large < 10 * small


def test_a_measurement_takes_two_seconds_a_method(home):
    recipes = [get_method(key).recipe() for key in ("fine-tune", "fixmatch", "distill-equal")]
    one, three = (left(home, request_speed(home, some, "cpu")) for some in (recipes[:1], recipes))
    assert three - one == pytest.approx(4)


def test_one_that_runs_says_itself_what_is_left_but_not_of_its_beginning(home, emoji):
    job = request_extraction(home, emoji, Draw(2, 0), "cpu")
    waiting, running = left(home, job), {"state": "running", "seconds_left": 3.0}
    assert left(home, job, **running, stage="Extracting features") == 3.0
    assert left(home, job, **running, stage=LOADING) == waiting


@pytest.mark.parametrize("spec", [{}, {"task": "gone", "labels_per_class": 1, "seed": 0, "teachers": {}}, {"task": 5}])
@pytest.mark.parametrize("kind", ["extraction", "map", "speed", "panel", "import", "of another version"])
def test_of_what_cannot_be_read_nothing_is_known(home, kind, spec):
    job = create(home.jobs, "one", kind=kind, spec=spec, device="cpu", lane=INTERACTIVE)
    assert left(home, job) is None


def test_of_intervals_nothing_is_known(home, emoji):
    assert left(home, request_panel(home, emoji, Draw(2, 0), "cpu")) is None


def test_a_map_of_a_whole_split_is_not_estimated_from_a_small_one():
    assert drawing_seconds(5_000) == 50
    assert drawing_seconds(100_000) == 150
