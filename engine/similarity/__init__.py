"""Similarity of a teacher to a task: arrays in, one number out. `METRICS` says what there is, `score` computes it.

Knows arrays only: features `[n, d]`, pseudo-labels `[n, Z]` and labels `[n]`, from NumPy or torch, on any device.
"""

from engine.similarity.agreement import Agreement, agreement, ranks_of
from engine.similarity.alignment import debiased_linear_cka, linear_cka
from engine.similarity.baselines import random, static
from engine.similarity.cards import CARDS, Card
from engine.similarity.coding_rate import transrate
from engine.similarity.discriminant import nearest_class_mean, sfda
from engine.similarity.evidence import logme
from engine.similarity.gaussians import gbc_diagonal, gbc_spherical
from engine.similarity.h_score import h_score, regularized_h_score
from engine.similarity.neighbors import knn_cosine, knn_l2
from engine.similarity.pairs import parc, rsa
from engine.similarity.registry import METRICS, Metric, metric, score
from engine.similarity.ridge import probe
from engine.similarity.source_classes import leep, mixture_responsibilities, nce, nleep
from engine.similarity.standings import Consensus, Panel, Standing, panel
from engine.similarity.subsampling import Ranking, Subsamples, rank_by_metric, rank_teachers, subsamples

__all__ = [
    "CARDS",
    "METRICS",
    "Agreement",
    "Card",
    "Consensus",
    "Metric",
    "Panel",
    "Ranking",
    "Standing",
    "Subsamples",
    "agreement",
    "debiased_linear_cka",
    "gbc_diagonal",
    "gbc_spherical",
    "h_score",
    "knn_cosine",
    "knn_l2",
    "leep",
    "linear_cka",
    "logme",
    "metric",
    "mixture_responsibilities",
    "nce",
    "nearest_class_mean",
    "nleep",
    "panel",
    "parc",
    "probe",
    "random",
    "rank_by_metric",
    "rank_teachers",
    "ranks_of",
    "regularized_h_score",
    "rsa",
    "score",
    "sfda",
    "static",
    "subsamples",
    "transrate",
]
