"""LogME: how probable the labels are under a Bayesian linear model on the features.

Reference: You et al. 2021, "LogME: Practical Assessment of Pre-trained Models for Transfer Learning". The evidence is
maximized here over one number instead of by their fixed-point iteration, and counts every dimension when d > n.
"""

from __future__ import annotations

import numpy as np

from engine.evaluation.arrays import FloatArray, IntArray
from engine.similarity.metric import Card, Metric, on_features
from engine.similarity.points import Classes, Points

# Noise smaller than this share of a class's own energy cannot be told from rounding. Without the bound the evidence of
# labels that are an exact linear function of the features (copies of one image, say) has no maximum (ours).
_SMALLEST_NOISE = 1e-10
_GRID_STEP = 0.5  # in the logarithm of alpha / beta, over which the evidence varies on a scale of 1 or more
_GRID_MARGIN = 23.0  # by e^23 = 1e10 beyond the largest and the smallest eigenvalue the evidence is flat
# At most so many steps of Newton's method inside the bracket of the grid's best point, which is halved where a step
# leaves it; fewer once no class has more than so many nats to gain.
_STEPS = 10
_GAIN = 1e-9
_CLASSES_AT_ONCE = 64


def logme(points: Points, classes: Classes) -> float:
    """LogME: largest log evidence of the labels per image, averaged over the classes: no fixed range, higher is better.

    For each class that occurs, y = 1 for its images and 0 for the rest, and y = Xw + noise on the raw features `[n, d]`
    with w ~ N(0, 1/alpha) and noise ~ N(0, 1/beta). The value is the maximum of log p(y) / n over alpha and beta. Given
    t = alpha / beta the best beta is known in closed form, so the one number t is searched for, over its whole range.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(40) % 2
    >>> near, noise = labels[:, None] + rng.normal(0, 0.1, (40, 3)), rng.normal(size=(40, 3))
    >>> logme(Points(near), Classes(labels)) > logme(Points(noise), Classes(labels))
    True
    """
    spectrum = points.raw_spectrum
    squares, energies = np.square(spectrum.values), np.square(spectrum.class_sums(classes)).T
    evidence = [
        _best_evidence(squares, energies[:, part], classes.counts[part], points.n)
        for part in np.array_split(np.arange(classes.number), -(-classes.number // _CLASSES_AT_ONCE))
    ]
    return float(np.concatenate(evidence).mean() / points.n)


def _best_evidence(squares: FloatArray, energies: FloatArray, counts: IntArray, n: int) -> FloatArray:
    """The maximum of the log evidence over alpha and beta for each class: `[C]`."""
    if len(squares) == 0:
        return np.asarray(_evidence(np.zeros((len(counts), 1)), squares, energies, counts, n)[:, 0])
    low, high = np.log(squares.min()) - _GRID_MARGIN, np.log(squares.max()) + _GRID_MARGIN
    grid = np.linspace(low, high, int((high - low) / _GRID_STEP) + 2)
    values = _evidence(grid[None], squares, energies, counts, n)
    best, center = values.max(axis=1), grid[values.argmax(axis=1)]
    low_end, high_end = center - (grid[1] - grid[0]), center + (grid[1] - grid[0])
    for _ in range(_STEPS):
        slope, bend = _slope(center, squares, energies, counts, n)
        low_end, high_end = np.where(slope > 0, center, low_end), np.where(slope > 0, high_end, center)
        if (np.abs(slope) * (high_end - low_end)).max() < _GAIN:
            break
        step = center - slope / np.where(bend < 0, bend, -np.inf)
        inside = (bend < 0) & (step >= low_end) & (step <= high_end)
        center = np.where(inside, step, (low_end + high_end) / 2)
    return np.asarray(np.maximum(best, _evidence(center[:, None], squares, energies, counts, n)[:, 0]))


def _slope(
    log_t: FloatArray, squares: FloatArray, energies: FloatArray, counts: IntArray, n: int
) -> tuple[FloatArray, FloatArray]:
    """First and second derivative of the log evidence by log t, at one `log_t [C]` for each class: `[C]` each."""
    share = 1 / (1 + squares / np.exp(log_t)[:, None])  # t / (t + eigenvalue): [C, r]
    moved = energies.T * share * (1 - share)
    explained = (_outside(squares, energies, counts, n) + (energies.T * share).sum(axis=1)) / n
    floor = _SMALLEST_NOISE * counts / n
    noise, free = np.maximum(explained, floor), explained > floor
    first = moved.sum(axis=1)
    second = (moved * (1 - 2 * share)).sum(axis=1)
    slope = 0.5 * (1 - share).sum(axis=1) - 0.5 * first / noise
    bend = -0.5 * (share * (1 - share)).sum(axis=1) - 0.5 * (second / noise - free * first**2 / (n * noise**2))
    return np.asarray(slope), np.asarray(bend)


def _outside(squares: FloatArray, energies: FloatArray, counts: IntArray, n: int) -> FloatArray:
    """Energy of each class that lies outside the features' span: `[C]`."""
    outside = counts - energies.sum(axis=0)
    outside[(outside < _SMALLEST_NOISE * counts) | (len(squares) == n)] = 0.0
    return np.asarray(outside)


def _evidence(log_t: FloatArray, squares: FloatArray, energies: FloatArray, counts: IntArray, n: int) -> FloatArray:
    """Log evidence at t = exp(`log_t`), `[1 or C, T]`, with the best noise variance 1/beta for each t: `[C, T]`.

    y ~ N(0, b (I + XX'/t)), so b is y'(I + XX'/t)^-1 y / n: the energy outside the features' span, and along each
    eigenvector the share t / (t + eigenvalue).
    """
    outside = _outside(squares, energies, counts, n)
    ratio = np.exp(np.log(squares) - log_t[..., None])  # eigenvalue / t: [1 or C, T, r]
    if len(log_t) == 1:
        inside = energies.T @ (1 / (1 + ratio[0])).T
    else:
        inside = (1 / (1 + ratio) @ energies.T[:, :, None])[..., 0]
    explained = (outside[:, None] + inside) / n
    noise = np.maximum(explained, _SMALLEST_NOISE * counts[:, None] / n)
    volume = np.log1p(ratio).sum(axis=-1)
    return np.asarray(-0.5 * n * (np.log(2 * np.pi * noise) + explained / noise) - 0.5 * volume)


LOGME = Metric(
    key="logme",
    title="LogME",
    summary="How probable are the labels if they are a linear function of the features plus noise?",
    range="no fixed range; higher is better",
    rule="minmax",
    cost="n d² + d³",
    reference="You et al. 2021",
    unit="nats per image",
    turn=4,
    of_outputs=on_features(logme),
    card=Card(
        r"\frac1{nC}\sum_c\max_{\alpha,\beta}\log p(y_c\mid X,\alpha,\beta)",
        "y with subscript c: 1 for the images of class c, 0 for others; α, β: precision of the weights and of the "
        "noise.",
        "How well a linear model on the features explains the labels, with a price for each direction it needs.",
        "Values of different teachers lie close together, and a fixed order by size has predicted better on the usual "
        "benchmark (arXiv 2510.06448): look at the interval.",
        "You, Liu, Wang, Long 2021, LogME: Practical Assessment of Pre-trained Models for Transfer Learning, ICML, "
        "arXiv 2102.11005",
    ),
)

METRICS = (LOGME,)
