"""What the cards tell a reader, where it can be computed."""

import numpy as np
import pytest

from engine.similarity import METRICS, score


def perfect(classes, images_per_class, d=64):
    """Features in which every two images of a class are nearer than any two of different classes, and no two alike."""
    rng = np.random.default_rng(classes)
    labels = np.repeat(np.arange(classes), images_per_class)
    return rng.normal(size=(classes, d))[labels] + 0.05 * rng.normal(size=(len(labels), d)), labels


@pytest.mark.parametrize(("classes", "images_per_class", "most"), [(2, 100, 87), (10, 40, 52), (100, 12, 17)])
def test_parc_of_a_perfect_teacher_is_what_its_card_says(classes, images_per_class, most):
    features, labels = perfect(classes, images_per_class)
    assert score("knn", features=features, labels=labels) == 100
    assert score("parc", features=features, labels=labels) == pytest.approx(most, abs=1)
    assert f" {most} " in METRICS["parc"].card.misleads


def test_nce_of_few_images_and_many_teacher_classes_is_near_its_best_for_no_merit():
    rng = np.random.default_rng(0)
    few = score("nce", pseudo_labels=rng.dirichlet(np.ones(1000), 30), labels=np.arange(30) % 5)
    many = score("nce", pseudo_labels=rng.dirichlet(np.ones(10), 3000), labels=np.arange(3000) % 5)
    assert few > -0.1
    assert many == pytest.approx(np.log(1 / 5), abs=0.01)


def test_transrate_grows_with_scale_and_dimensions_where_classes_have_few_images():
    rng = np.random.default_rng(0)
    labels = np.arange(15) % 3
    features = rng.normal(size=(15, 80))
    value = score("transrate", features=features, labels=labels)
    assert score("transrate", features=10 * features, labels=labels) > 1.3 * value
    assert score("transrate", features=features[:, :20], labels=labels) < 0.9 * value


def test_nearest_class_mean_grows_with_the_scale_of_the_features():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = 0.1 * rng.normal(size=(60, 8))
    value = score("nearest_class_mean", features=features, labels=labels)
    assert score("nearest_class_mean", features=30 * features, labels=labels) > 1.5 * value


@pytest.mark.parametrize("name", ["h_score", "sfda"])
def test_what_saturates_with_many_dimensions_is_the_same_for_every_teacher(name):
    labels = np.arange(30) % 3
    values = [
        score(name, features=np.random.default_rng(seed).normal(size=(30, 60)), labels=labels) for seed in range(3)
    ]
    assert values == pytest.approx([{"h_score": 2, "sfda": 1}[name]] * 3, rel=1e-6)
    assert "every teacher" in METRICS[name].card.misleads


def test_the_short_reference_of_a_record_is_in_its_card():
    for name, record in METRICS.items():
        for short in record.reference.split("; "):
            author, year = short.split()[0], short.split()[-1]
            assert name in ("static", "random") or (author in record.card.reference and year in record.card.reference)
