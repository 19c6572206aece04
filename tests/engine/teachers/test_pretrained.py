import pytest
import timm

from engine.errors import UnknownNameError
from engine.teachers import cost, recommended, search
from engine.teachers.pretrained import (
    class_names,
    collections_of,
    configuration,
    get_pretrained,
    known_licenses,
    pretrained,
)


def test_nearly_every_pretrained_network_of_timm_can_be_found_with_its_cost():
    everything = search()
    assert len(everything) > 1_000
    assert all(entry.usable and entry.repository for entry in everything)
    known = [entry.gflops for entry in everything if entry.parameters]
    assert len(known) > 0.9 * len(everything)  # of those that the installed timm knows
    assert known == sorted(known)


def test_words_and_limits_narrow_a_search():
    found = search("mobilenet in1k", most_parameters=3, most_gflops=0.1, sizes=(224, 224), licenses=["apache-2.0"])
    assert "mobilenetv3_small_050.lamb_in1k" in [entry.name for entry in found]
    for entry in found:
        assert "mobilenet" in entry.name
        assert entry.parameters <= 3e6
        assert entry.gflops <= 0.1
        assert (entry.size, entry.license) == (224, "apache-2.0")
    assert search("no such network anywhere") == []
    assert all(entry.classes == 0 for entry in search("dinov2"))
    assert search("dinov2", with_classes=True) == []
    assert {entry.license for entry in search(licenses=[""])} == {""}


@pytest.mark.parametrize("name", ["mobilenetv3_small_050.lamb_in1k", "test_vit.r160_in1k", "test_resnet.r160_in1k"])
def test_the_table_of_costs_is_what_the_networks_cost(name):
    entry = get_pretrained(name)
    parameters, gflops = cost(name, 1000, entry.size)
    assert entry.parameters == parameters
    assert entry.gflops == pytest.approx(gflops, rel=1e-3)


def test_an_architecture_means_its_default_weights_and_a_wrong_name_is_said():
    assert get_pretrained("resnet18").name == f"resnet18.{timm.get_pretrained_cfg('resnet18').tag}"
    with pytest.raises(UnknownNameError, match=r"did you mean resnet18\.a1_in1k"):
        get_pretrained("resnet18.a1_in2k")


@pytest.mark.parametrize(
    ("tag", "collections"),
    [
        ("lamb_in1k", ("imagenet",)),
        ("fcmae_ft_in22k_in1k", ("imagenet", "imagenet-21k")),
        ("augreg_in21k", ("imagenet-21k", "imagenet")),
        ("sat493m", ("sat-493m",)),
        ("openai_ft_in12k_in1k", ("imagenet", "imagenet-12k", "openai-wit")),
        ("a_tag_of_tomorrow", ()),
    ],
)
def test_a_tag_tells_the_collections_the_latest_first(tag, collections):
    assert collections_of(tag) == collections


def test_classes_have_the_names_of_their_list_and_projections_have_none():
    assert class_names(configuration("mobilenetv3_small_050.lamb_in1k"))[:2] == (
        "tench, Tinca tinca",  # the first two of ImageNet's 1,000, as everywhere
        "goldfish, Carassius auratus",
    )
    assert len(class_names(configuration("tf_efficientnetv2_s.in21k"))) == 21_843
    assert class_names(configuration("resnet50_clip.openai")) == ()  # 1,024 numbers, to be compared with texts
    assert class_names({"num_classes": 2, "label_names": ["cat", "dog"]}) == ("cat", "dog")
    assert class_names({"num_classes": 2, "label_names": ["n1", "n2"], "label_descriptions": {"n1": "a cat"}}) == (
        "a cat",
        "n2",
    )


def test_recommended_teachers_agree_with_timm_where_timm_knows_them():
    names = {entry.name for entry in pretrained()}
    for entry in recommended():
        assert entry.license
        assert entry.collections
        if entry.name in names:
            known = get_pretrained(entry.name)
            assert (entry.repository, entry.license) == (known.repository, known.license)
            assert set(known.collections) <= set(entry.collections)
        else:
            assert entry.source == f"https://huggingface.co/{entry.repository}"
    assert {entry.field for entry in recommended()} >= {"natural images", "satellite", "medical", "birds", "food"}


def test_the_most_frequent_license_comes_first():
    assert known_licenses()[0] == "apache-2.0"
