"""Similarity of a teacher to a task: arrays in, one number out. `METRICS` says what there is, `score` computes it.

Knows arrays only: features `[n, d]`, pseudo-labels `[n, Z]` and labels `[n]`, from NumPy or torch, on any device.
"""

from engine.similarity.metric import Metric
from engine.similarity.pairs import PairTerms, pair_terms
from engine.similarity.registry import METRICS, metric, score
from engine.similarity.standings import MeanRanks, Standing, Standings, standings

__all__ = [
    "METRICS",
    "MeanRanks",
    "Metric",
    "PairTerms",
    "Standing",
    "Standings",
    "metric",
    "pair_terms",
    "score",
    "standings",
]
