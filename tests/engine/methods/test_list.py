"""What holds for every method of the list."""

import pytest

from engine.errors import InvalidInputError
from engine.methods import FILES, METHODS, REFERENCE, SINGLE, get_method, place, preselected
from engine.methods.made_up import MadeUp
from engine.training import Objective, TrainSpec, own_fields
from engine.training.throughput import images_per_second

TINY = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "images": 320}


@pytest.mark.parametrize("key", METHODS)
def test_its_record_says_what_it_is_and_its_settings_can_be_had(key):
    method = METHODS[key]
    assert method.title
    assert method.summary.endswith(".")
    assert method.paper
    assert (method.p is None) == (method.weights != "similarity")
    assert isinstance(method.recipe().settings.prepare(MadeUp()), Objective)
    for field in own_fields(method.settings):
        assert field.label != field.name
        assert field.meaning.endswith(".")


def test_the_list_has_a_line_for_each_file():
    assert list(METHODS) == [name.replace("_", "-") for name in FILES]
    assert preselected() == ["fine-tune", "fixmatch", "distill-weighted", "distill-consensus"]
    assert (REFERENCE.weights, SINGLE.weights) == (None, "similarity")
    assert [place(key) for key in METHODS] == list(range(len(METHODS)))


def test_every_default_comes_from_the_record():
    assert get_method("fixmatch").recipe().train == TrainSpec()
    assert get_method("linear-probe").recipe().train == TrainSpec(unlabeled_batch=0, learning_rate=0.1)
    assert get_method("linear-probe").recipe({"learning_rate": 0.03}).train.learning_rate == 0.03
    assert get_method("distill-equal").recipe({"labeled_share": 1}).train.unlabeled_batch == 0


def test_what_is_set_for_another_method_is_passed_over():
    assert get_method("fine-tune").recipe({"fixmatch_weight": 3, "views": 4}) == get_method("fine-tune").recipe()


@pytest.mark.parametrize("name", ["distill-consensus(spread=0.6)", "distill-consensus(propagation=0.6)"])
def test_a_setting_is_still_known_by_its_former_name(name):
    assert get_method(name).key == "distill-consensus(propagation=0.6)"


def test_a_variant_of_what_another_method_has_is_refused():
    with pytest.raises(InvalidInputError, match="fixmatch has no field views: it knows fixmatch_threshold"):
        get_method("fixmatch(views=4)")


@pytest.mark.parametrize("method", {method.settings: key for key, method in METHODS.items()}.values())
def test_speed_is_measured(method):
    made = get_method(method).recipe(TINY)
    assert images_per_second(made.train, made.settings.prepare(MadeUp()), "cpu", threads=1, seconds=0.1) > 1
