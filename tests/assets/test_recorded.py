"""Rankings and maps that come with the program are of what comes with the program now."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from engine import maps
from engine.review import open_task
from engine.runs import recorded_panel
from engine.runs.ranking import allowed_teachers
from engine.similarity import METRICS
from engine.tasks import Draw, bundled_names, usual_draw
from engine.teachers import get_teacher

WAY_OUT = "run `python -m assets.build recorded`"


@pytest.fixture(scope="module", params=bundled_names())
def task(request, shared_home):
    return open_task(shared_home, request.param)


def test_each_task_has_its_ranking_by_every_metric(shared_home, task):
    found = recorded_panel(shared_home, task, usual_draw(task))
    assert found is not None, WAY_OUT
    assert {"distill-workbench", "torch"} <= set(found.made_with)
    allowed = {teacher.name for teacher in allowed_teachers(shared_home, task)}
    for key in (key for key, metric in METRICS.items() if "record" not in metric.needs):
        ranking = found.ranking(shared_home, task, key)
        assert {ranked.teacher.name for ranked in ranking.ranked} == allowed
        assert [ranked.rank for ranked in ranking.ranked] == sorted(ranked.rank for ranked in ranking.ranked)
    assert all(place.interval for place in found.panel.under("parc").places)


def test_another_draw_is_another_ranking(shared_home, task):
    assert recorded_panel(shared_home, task, Draw(4, 0)) is None
    assert recorded_panel(shared_home, task, Draw(5, 1)) is None


def test_each_map_is_of_what_there_is_now(shared_home, task):
    names = [path.stem for path in (maps.ASSETS / task.name).glob("*.safetensors")]
    assert names
    stale = [name for name in names if maps.recorded_map(task, get_teacher(shared_home, name)) is None]
    assert stale == [], WAY_OUT


def test_a_good_teachers_map_keeps_classes_apart(shared_home, emoji):
    """So its points are those of its rows: with others, a point's neighbor is of its class as often as by chance."""
    drawn = maps.recorded_map(emoji, get_teacher(shared_home, "imagenet-lite2"))
    labels = emoji.labels[drawn.rows]
    neighbors = KNeighborsClassifier(1).fit(drawn.coordinates, labels).kneighbors(return_distance=False)[:, 0]
    shares = np.bincount(labels) / len(labels)
    assert (labels[neighbors] == labels).mean() > 2 * (shares @ shares)
