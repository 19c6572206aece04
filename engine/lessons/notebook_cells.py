"""What stands in the notebooks of the lessons: prose and code. Their formulas are written out by hand, and compared
with what the program computes; the tests run every cell.
"""

from __future__ import annotations

from typing import TypeAlias

Text: TypeAlias = tuple[str, str, dict[str, object]]  # title, cells, names with their defaults

_FIRST = """\
import numpy as np

import engine
from engine.lessons import %s
from engine.review import open_task

workspace = engine.open_workspace()
opened = open_task(workspace, task)
"""
_LAST = """
if material is None:
    raise SystemExit("Too few labels or teachers: rank the teachers with more labels, then make this notebook again.")
names = [teacher.name for teacher in material.teachers]
print(f"{len(material.rows)} images, {len(names)} teachers: {', '.join(names)}")"""

# What all of them begin with. `rank` has the teachers look at the labeled images, once.
BEGINNING = f"""\
{_FIRST % "lesson_material"}\
from engine.tasks import Draw

engine.rank(workspace, task, labels_per_class=labels_per_class, seed=seed, device="cpu")
material = lesson_material(workspace, opened, Draw(labels_per_class, seed)){_LAST}"""
# The same for the images that come with the program, on which nothing has to be computed first.
BEGINNING_RECORDED = f"""\
{_FIRST % "recorded_material"}\
material = recorded_material(workspace){_LAST}"""

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

PAIRS: Text = (
    "One pair, one term",
    """
# %% [markdown]
PARC of one teacher: Spearman's correlation, over all pairs, of their distance and of having different labels.
# %%
from scipy.stats import rankdata

from engine.similarity import pair_terms, score

features = material.features[teacher if teacher in names else names[0]][material.drawn].astype(float)
labels = material.labels[material.drawn]
spread = features.std(axis=0)
z = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
i, j = np.triu_indices(len(labels), 1)
d = 1 - np.corrcoef(z)[i, j]
b = (labels[i] != labels[j]).astype(float)
r = rankdata(d)
terms = 100 / len(d) * (r - r.mean()) / r.std() * (b - b.mean()) / b.std()
found = score("parc", features=features, labels=labels)
print("the sum of all terms is", terms.sum(), "and PARC is", found)
assert abs(terms.sum() - found) < 1e-6
# %% [markdown]
The program's own terms, and the pairs that lower PARC most.
# %%
taken = pair_terms(features, labels)
assert np.allclose(taken.terms[i, j], terms)
for pair in np.argsort(terms)[:5]:
    named = [opened.classes[labels[k]] for k in (i[pair], j[pair])]
    print(f"{terms[pair]:.4f}", named, f"distance {d[pair]:.3f}, rank {r[pair]:.0f} of {len(d)}")
""",
    {"teacher": ""},
)

CONSENSUS: Text = (
    "What all teachers agree on",
    """
# %% [markdown]
A probe on each teacher's features learns the known labels; what the probes say is averaged by weight, and sharpened.
# %%
from engine.lessons import consensus_stages, probe_answers

answers = probe_answers(material)
stages = consensus_stages(material, answers)
ids = [opened.images.image_ids[row] for row in material.rows]
place = ids.index(image) if image in ids else int(np.flatnonzero(~material.known)[0])
mean = sum(share * answers[name][place] for name, share in stages.alpha.items())
by_hand = mean**2 / (mean**2).sum()
if not material.known[place]:
    assert np.allclose(by_hand, stages.averaged[place], atol=1e-5)
print("the mean of all:", opened.classes[by_hand.argmax()], by_hand.max())
# %% [markdown]
Its neighbors in all teachers' features at once, and what is said after they were asked.
# %%
for other, weight in stages.neighbors[place]:
    told = "label" if material.known[other] else "said"
    print(f"{weight:.3f}", told, opened.classes[stages.averaged[other].argmax()])
print("in the end:", opened.classes[stages.spread[place].argmax()], stages.spread[place].max())
print("held back:", opened.classes[material.labels[place]])
# %% [markdown]
Propagation by hand: F ← .8 S F + .2 Y, fifty times; then squared and scaled again.
# %%
S = np.zeros((len(material.rows),) * 2)
for here, found in enumerate(stages.neighbors):
    for other, weight in found:
        S[here, other] = weight
Y = stages.averaged.astype(float)
F = Y.copy()
for _ in range(50):
    F = 0.8 * S @ F + 0.2 * Y
F /= F.sum(axis=1, keepdims=True)
F = F**2 / (F**2).sum(axis=1, keepdims=True)
assert np.allclose(F, stages.spread, atol=1e-4)
print("right of the images held back: nearest probe, mean, propagated:", stages.accuracies)
""",
    {"image": ""},
)

LABELS: Text = (
    "Few labels against many, and when it does not help",
    """
# %% [markdown]
Probes with few labels and with more, on the same images held back.
# %%
from engine.lessons import label_steps

for step in label_steps(material):
    print(f"{step.labels_per_class:3} of each class: nearest {step.nearest:.3f}, mean of all {step.consensus:.3f}")
# %% [markdown]
The recorded eight tasks: DistillConsensus over another method, paired by seed, with a t interval over the seeds.
# %%
from scipy import stats

from engine.lessons import recorded_gains

for gain in recorded_gains("distill-consensus", reference):
    d = np.array(gain.difference.differences)
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    assert abs(d.mean() + half - gain.difference.interval.high) < 1e-9
    low, high = 100 * (d.mean() - half), 100 * (d.mean() + half)
    print(f"{100 * d.mean():+6.1f} points ({low:+.1f} to {high:+.1f}) {gain.task}")
""",
    {"reference": "fixmatch"},
)

BIAS: Text = (
    "A secretly biased data set",
    """
# %% [markdown]
Some labels of one class say another one, in memory only. Probes learn from them.
# %%
from engine.lessons import biased, can_be_biased, doubted, repaired, trained_on

if not can_be_biased(material):
    raise SystemExit("No two classes have four labels to spare: choose another task.")
bias = biased(material, secret)
before = trained_on(material, bias.labels)
print("right:", before.accuracy)
# %% [markdown]
Find it: the largest cell off the diagonal of the confusion matrix.
# %%
wrong = before.confusion * (1 - np.eye(len(before.confusion), dtype=int))
true, said = np.unravel_index(wrong.argmax(), wrong.shape)
print("most confused:", opened.classes[true], "taken for", opened.classes[said], wrong.max(), "times")
print("the secret:", opened.classes[bias.true], "labeled", opened.classes[bias.said])
# %% [markdown]
Labels that the others speak against, as the program finds them; then a person corrects them.
# %%
suspects = doubted(material, bias.labels)
print(len(suspects), "suspected,", len(set(suspects) & set(bias.wrong)), "of", len(bias.wrong), "wrong ones among them")
after = trained_on(material, repaired(material, bias.labels, bias.wrong))
print("right before", before.accuracy, "and after", after.accuracy)
""",
    {"secret": 0},
)

NOTEBOOKS: dict[str, Text] = {
    "pseudo-labels": PSEUDO_LABELS,
    "ranking": RANKING,
    "weights": WEIGHTS,
    "pairs": PAIRS,
    "consensus": CONSENSUS,
    "labels": LABELS,
    "bias": BIAS,
}
