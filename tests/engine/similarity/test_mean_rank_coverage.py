"""Do intervals of mean ranks hold the truth as often as they say, in simulations on which nothing was chosen?

The truth is the mean of the mean ranks over many labeled sets of the same size. Teachers differ in where they put the
classes' centers; each labeled set draws its images anew.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from engine.similarity import standings

LEVEL = 0.9
SETS = 100  # whose mean is taken for the truth
REPETITIONS = 24
DRAWS = 24
SOURCE_CLASSES = 8


@dataclass(frozen=True)
class Simulation:
    """S teachers with `strengths [S]` by which the classes' centers lie apart."""

    images: tuple[int, ...]  # of each class
    strengths: tuple[float, ...]
    metrics: tuple[str, ...]
    dimensions: int
    tails: float | None  # degrees of freedom of t noise; None for normal noise

    def noise(self, rng, dimensions):
        size = (sum(self.images), dimensions)
        if self.tails is None:
            return rng.normal(size=size)
        return rng.standard_t(self.tails, size=size) / np.sqrt(self.tails / (self.tails - 2))

    def teachers(self, seed):
        """Outputs of all teachers for one labeled set."""
        rng, labels = np.random.default_rng([2027, seed]), self.labels()
        centers = np.random.default_rng(2027)
        found = []
        for strength in self.strengths:
            of_features = centers.normal(size=(len(self.images), self.dimensions))
            of_logits = centers.normal(size=(len(self.images), SOURCE_CLASSES))
            logits = strength * of_logits[labels] + self.noise(rng, SOURCE_CLASSES)
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            features = 0.5 * strength * of_features[labels] + self.noise(rng, self.dimensions)
            found.append({"features": features, "pseudo_labels": shares / shares.sum(axis=1, keepdims=True)})
        return found

    def labels(self):
        return np.repeat(np.arange(len(self.images)), self.images)

    def mean_ranks(self, seed, draws=0):
        return standings(self.teachers(seed), self.labels(), list(self.metrics), draws=draws, level=LEVEL).mean_ranks


SIMULATIONS = {
    "five teachers close together, heavy tails": Simulation(
        (6,) * 4, (0.8, 0.9, 1.0, 1.1, 1.2), ("parc", "knn", "leep"), 8, 3.0
    ),
    "metrics that err together, eight teachers": Simulation(
        (20, 20),
        tuple(np.linspace(0.3, 1, 8)),
        ("h_score", "logme", "cka", "regularized_h_score", "nearest_class_mean"),
        10,
        None,
    ),
    "the fewest labels, heavy tails": Simulation((4,) * 6, (0.6, 1.0, 1.6), ("nce", "parc", "sfda", "gbc"), 8, 3.0),
}


@pytest.mark.parametrize("name", SIMULATIONS)
def test_intervals_of_mean_ranks_cover_the_truth(name):
    simulation = SIMULATIONS[name]
    truth = np.mean([simulation.mean_ranks(1_000 + seed).values for seed in range(SETS)], axis=0)
    covered = []
    for seed in range(REPETITIONS):
        intervals = simulation.mean_ranks(seed, DRAWS).intervals
        covered += [value in interval for value, interval in zip(truth, intervals, strict=True)]
    assert np.mean(covered) >= 0.85
