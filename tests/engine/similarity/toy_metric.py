"""A metric in a file of its own, as a contributor would write one: all that the workbench needs to know of it."""

import numpy as np

from engine.similarity.metric import Card, Metric, on_features


def spacing(points, classes):
    """How far the class means lie apart, in mean distances of an image to its class's mean."""
    means = classes.means(points.centered)
    within = np.linalg.norm(points.centered - means[classes.codes], axis=1).mean()
    return np.linalg.norm(means, axis=1).mean() / within


SPACING = Metric(
    key="spacing",
    title="Spacing",
    summary="How far apart are the classes, for how wide they are?",
    range="at least 0; higher is better",
    unit="widths",
    rule="minmax",
    cost="n d",
    reference="ours, as an example",
    labels_per_class=2,
    of_outputs=on_features(spacing),
    card=Card(r"m / w", "m: distance of the means; w: width.", "Class means.", "With odd shapes.", "Ours, an example"),
)

METRICS = (SPACING,)
