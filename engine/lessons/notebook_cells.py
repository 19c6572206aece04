"""What stands in the notebooks of the lessons: prose and code. Their formulas are written out by hand, and compared
with what the program computes; the tests run every cell.
"""

from __future__ import annotations

from typing import TypeAlias

Text: TypeAlias = tuple[str, str, dict[str, object]]  # title, cells, names with their defaults

# What all of them begin with. `rank` has the teachers look at the labeled images, once.
BEGINNING = """\
import numpy as np

import engine
from engine.lessons import lesson_material
from engine.review import open_task
from engine.tasks import usual_draw

workspace = engine.open_workspace()
ranking = engine.rank(workspace, task, device="cpu")["ranking"]
opened = open_task(workspace, task)
material = lesson_material(workspace, opened, usual_draw(opened))
names = [teacher.name for teacher in material.teachers]
print(f"{len(material.rows)} images, {len(names)} teachers: {', '.join(names)}")"""

PSEUDO_LABELS: Text = (
    "What a pseudo-label is",
    """
# %% [markdown]
A teacher has classes of its own. Its pseudo-label of an image is its softmax over them.
# %%
ids = [opened.images.image_ids[row] for row in material.rows]
place = ids.index(image) if image in ids else 0
print("The image is of the class", opened.classes[material.labels[place]])
for teacher in material.teachers:
    if teacher.name in material.pseudo_labels:
        q = material.pseudo_labels[teacher.name][place]
        likeliest = [(teacher.classes[k], round(float(q[k]), 3)) for k in np.argsort(-q)[:3]]
        print(teacher.title, likeliest)
# %% [markdown]
How sure it is: the entropy of the pseudo-label, as a number of classes.
# %%
from engine.weighting import effective_number

first = next(name for name in names if name in material.pseudo_labels)
q = material.pseudo_labels[first][place].astype(float)
q /= q.sum()
by_hand = float(np.exp(-(q[q > 0] * np.log(q[q > 0])).sum()))
assert abs(by_hand - effective_number(q)) < 1e-6
print(f"as unsure as a fair choice among {by_hand:.1f} classes")
# %% [markdown]
What the student pays for this image: the cross-entropy of its own answer with the pseudo-label. It is least, the
entropy, where both are the same.
# %%
answer = np.full(len(q), 1 / len(q))  # a student that knows nothing
print("cross-entropy of a student that knows nothing:", -(q * np.log(answer)).sum())
print("of one that answers as the teacher does:", -(q[q > 0] * np.log(q[q > 0])).sum())
""",
    {"image": ""},
)

RANKING: Text = (
    "Guess the order of the teachers",
    """
# %% [markdown]
The teachers by PARC, most similar first.
# %%
for name in names:
    print(f"{material.similarities[name]:6.1f}  {name}")
# %% [markdown]
Your order, and Spearman's rank correlation with that of PARC: 1 − 6 Σ d² / (n (n² − 1)), d the difference of two ranks.
# %%
from engine.lessons import judge_order

order = [name for name in guess if name in names] or names[::-1]
order = order[:7]
judged = judge_order(order, material.similarities)
right = sorted(order, key=lambda name: -material.similarities[name])
n, d = len(order), np.array([order.index(name) - right.index(name) for name in order])
by_hand = 1 - 6 * (d**2).sum() / (n * (n**2 - 1))
print("correlation", judged.correlation.value, "by hand", by_hand)
print("share of all orders that are as good or better:", judged.as_good_by_chance)
if len(set(material.similarities[name] for name in order)) == n:
    assert abs(by_hand - judged.correlation.value) < 1e-9
""",
    {"guess": ()},
)

WEIGHTS: Text = (
    "From similarity to weights",
    """
# %% [markdown]
Similarities below 0 count as 0. Each to the power p, divided by the sum of all: the weights α.
# %%
from engine.lessons import probe_answers, weight_steps
from engine.weighting import effective_number, weights

e = np.maximum([material.similarities[name] for name in names], 0)
by_hand = e**p / (e**p).sum()
alpha = weights(e, p, "clip")
assert np.allclose(by_hand, alpha)
for name, share in zip(names, alpha):
    print(f"{share:.3f}  {name}")
# %% [markdown]
The effective number of teachers: the exponential of the entropy of α.
# %%
positive = alpha[alpha > 0]
effective = float(np.exp(-(positive * np.log(positive)).sum()))
assert abs(effective - effective_number(alpha)) < 1e-6
print(f"{effective:.2f} of {len(names)} teachers")
# %% [markdown]
What it does: a probe on each teacher, averaged with these weights, judged on images whose label was held back.
# %%
answers = probe_answers(material)
for step in weight_steps(material, answers, [0, 1, 3, 6, 12, 24, float("inf")]):
    print(f"p = {step.p:4}: {step.effective:4.1f} teachers, {100 * step.accuracy:.1f} of 100 right")
# %% [markdown]
Doubling p squares the ratio of two weights.
# %%
a, b = weights(e, p, "clip"), weights(e, 2 * p, "clip")
if a[1] > 0:
    print(a[0] / a[1], "squared is", (a[0] / a[1]) ** 2, "and at 2 p it is", b[0] / b[1])
""",
    {"p": 12.0},
)

NOTEBOOKS: dict[str, Text] = {
    "pseudo-labels": PSEUDO_LABELS,
    "ranking": RANKING,
    "weights": WEIGHTS,
}
