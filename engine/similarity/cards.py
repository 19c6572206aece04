"""What a reader should know of each metric before trusting it: its formula, what it sees, when it misleads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One metric for its reader; range, unit and rule are in its record in `METRICS`."""

    formula: str  # LaTeX
    symbols: str  # what the formula's letters are
    sees: str  # what in the arrays moves it
    misleads: str  # when not to believe it
    reference: str  # authors, year, title, place


CARDS: Mapping[str, Card] = {
    "parc": Card(
        r"100\cdot\rho\bigl(1-\mathrm{corr}(z_i,z_j),\ [y_i\neq y_j]\bigr)_{i<j}",
        "z: the features, each dimension scaled to mean 0 and spread 1; y: the labels; ρ: Spearman's rank correlation.",
        "All pairs of labeled images: whether those with different labels lie farther apart.",
        "Only ties reach 100. Where all distances differ, a perfect teacher gets 87 with two classes of equal size, 52 "
        "with ten, 17 with a hundred: compare teachers of one task, never scores of two tasks. It cannot see classes "
        "that a linear head would separate. Its authors' best variant takes 32 principal axes; here all dimensions "
        "count.",
        "Bolya, Mittapalli, Hoffman 2021, Scalable Diverse Model Selection for Accessible Transfer Learning, NeurIPS, "
        "arXiv 2111.06977",
    ),
    "rsa": Card(
        r"100\cdot\rho\bigl(1-\mathrm{corr}(z_i,z_j),\ 1-\mathrm{corr}(t_i,t_j)\bigr)_{i<j}",
        "z, t: the outputs of two networks, each dimension scaled to mean 0 and spread 1.",
        "Whether two networks find the same pairs of images alike; here the teacher's features and its own "
        "pseudo-labels.",
        "It does not look at your labels: a teacher that agrees with itself scores high on any images. (Its authors "
        "compare with a network that was trained on the task, and there is none yet.) It takes no part in the "
        "consensus.",
        "Dwivedi, Roig 2019, Representation Similarity Analysis for Efficient Task Taxonomy & Transfer Learning, CVPR, "
        "arXiv 1904.11740",
    ),
    "cka": Card(
        r"\frac{\lVert X^\top Y\rVert_F^2}{\lVert X^\top X\rVert_F\,\lVert Y^\top Y\rVert_F}",
        "X: the features, centered; Y: the labels as indicator columns, centered.",
        "How much of the features' structure lines up with the classes.",
        "It grows with dimensions ÷ images even for noise, so it favors wide teachers when labels are few: read the "
        "debiased one beside it.",
        "Kornblith, Norouzi, Lee, Hinton 2019, Similarity of Neural Network Representations Revisited, ICML, arXiv "
        "1905.00414",
    ),
    "cka_debiased": Card(
        r"\frac{\mathrm{HSIC}_u(X,Y)}{\sqrt{\mathrm{HSIC}_u(X,X)\,\mathrm{HSIC}_u(Y,Y)}}",
        "HSIC with the subscript u: the unbiased estimate, diagonals of both kernels left out.",
        "The same as CKA, with the part taken off that noise alone would have.",
        "A few directions with much variance decide it; what lies in small directions counts for nothing. It may be "
        "negative, which means no more than 0. The ratio of unbiased estimates is itself only nearly unbiased.",
        "Song, Smola, Gretton, Bedo, Borgwardt 2012, Feature Selection via Dependence Maximization, Journal of Machine "
        "Learning Research 13 (the estimate); Nguyen, Raghu, Kornblith 2021, Do Wide and Deep Networks Learn the Same "
        "Things?, ICLR, arXiv 2010.15327 (in CKA); Murphy, Zylberberg, Fyshe 2024, Correcting Biased Centered Kernel "
        "Alignment Measures in Biological and Artificial Neural Networks, arXiv 2405.01012 (why)",
    ),
    "nce": Card(
        r"\frac1n\sum_i\log\hat P(y_i\mid z_i),\qquad z_i=\arg\max_k q_{ik}",
        "q: the teacher's class probabilities; P̂: shares counted on the labeled images.",
        "Only the teacher's most likely class of each image.",
        "With few images and many teacher classes each image gets a class of its own, and the score comes near 0, "
        "which is its best, for no merit.",
        "Tran, Nguyen, Hassner 2019, Transferability and Hardness of Supervised Classification Tasks, ICCV, arXiv "
        "1908.08142",
    ),
    "leep": Card(
        r"\frac1n\sum_i\log\sum_k \hat P(y_i\mid k)\,q_{ik}",
        "q: the teacher's class probabilities; P̂(y | k): the labels' shares under the teacher's class k.",
        "The teacher's class probabilities; its features play no part.",
        "Favors teachers with many classes when labels are few. A teacher with good features and foreign classes "
        "scores low.",
        "Nguyen, Hassner, Seeger, Archambeau 2020, LEEP: A New Measure to Evaluate Transferability of Learned "
        "Representations, ICML, arXiv 2002.12462",
    ),
    "nleep": Card(
        r"\frac1n\sum_i\log\sum_v \hat P(y_i\mid v)\,r_{iv}",
        "r: how far image i belongs to part v of a Gaussian mixture that is fitted to the features.",
        "Whether groups that form in the features by themselves are classes of yours.",
        "The mixture depends on its random start by about .1 either way, and it has fewer parts here than its authors' "
        "five a class where that would leave a part fewer than four images. For its intervals the mixture is fitted "
        "once, on all labeled images, since it does not see the labels.",
        "Li, Jia, Sang, Zhu, Green, Wang, Gong 2021, Ranking Neural Checkpoints, CVPR, arXiv 2011.11200",
    ),
    "logme": Card(
        r"\frac1{nC}\sum_c\max_{\alpha,\beta}\log p(y_c\mid X,\alpha,\beta)",
        "y with subscript c: 1 for the images of class c, 0 for others; α, β: precision of the weights and of the "
        "noise.",
        "How well a linear model on the features explains the labels, with a price for each direction it needs.",
        "Values of different teachers lie close together, and a fixed order by size has predicted better on the usual "
        "benchmark (arXiv 2510.06448): look at the interval.",
        "You, Liu, Wang, Long 2021, LogME: Practical Assessment of Pre-trained Models for Transfer Learning, ICML, "
        "arXiv 2102.11005",
    ),
    "h_score": Card(
        r"\mathrm{tr}\bigl(\mathrm{cov}(f)^{-1}\,\mathrm{cov}(\mathbb E[f\mid y])\bigr)",
        "f: the features; E[f | y]: the class means.",
        "The share of variation between classes, each direction counted alike however small it is.",
        "With more dimensions than images it is C − 1 for every teacher and says nothing at all.",
        "Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas 2019, An Information-Theoretic Approach to Transferability in "
        "Task Transfer Learning, ICIP, arXiv 2212.10082",
    ),
    "regularized_h_score": Card(
        r"(1-a)\,\mathrm{tr}\bigl(\Sigma_a^{-1}\,\mathrm{cov}(\mathbb E[f\mid y])\bigr)",
        "Σ with subscript a: the covariance shrunk by a towards a multiple of the identity (Ledoit and Wolf).",
        "As the H-score, with small directions held back.",
        "With fewer images than dimensions the shrinkage decides much of it; values come close to C − 1 and close "
        "together, those of noise too.",
        "Ibrahim, Ponomareva, Mazumder 2022, Newer is not always better: Rethinking transferability metrics, their "
        "peculiarities, stability and performance, ECML PKDD, arXiv 2110.06893",
    ),
    "gbc": Card(
        r"-\sum_{c\neq c'}\exp\bigl(-D_B(c,c')\bigr)",
        "D with subscript B: Bhattacharyya distance between the classes, each taken for a round Gaussian on 64 "
        "principal axes; each two classes count twice.",
        "How far the class clouds overlap.",
        "Classes are not round, and a class with one or two images has no spread to speak of. The sum is ruled by the "
        "few pairs that overlap most; with more classes it has more terms, so compare teachers of one task only.",
        "Pándy, Agostinelli, Uijlings, Ferrari, Mensink 2022, Transferability Estimation using Bhattacharyya Class "
        "Separability, CVPR, arXiv 2111.12780",
    ),
    "transrate": Card(
        r"R(Z)-\sum_c\tfrac{n_c}{n}R(Z_c),\qquad R(Z)=\tfrac12\log\det\bigl(I+\tfrac1{n\varepsilon}ZZ^\top\bigr)",
        "Z: the features, centered; ε = 0.0001: the squared error that a code may make in each dimension.",
        "How many nats an image it saves to know the class when the features are written down.",
        "Where classes have fewer images than dimensions, as with few labels, it grows with the scale of the features "
        "and with their number, in which teachers differ for no reason that matters: do not rank teachers of different "
        "makers by it.",
        "Huang, Huang, Rong, Yang, Wei 2022, Frustratingly Easy Transferability Estimation, ICML, arXiv 2106.09362; "
        "public programs weigh all classes alike, and only with classes of equal size come to the same",
    ),
    "sfda": Card(
        r"\frac1n\sum_i P(y_i\mid \tilde x_i)",
        "x̃: the features after each image was moved towards the other classes; P: a regularized Fisher discriminant.",
        "How sure a linear discriminant is of the true class in a harder version of the task.",
        "Saturates at 1 when there are as many dimensions as images, for every teacher alike. It judges images that it "
        "has learned from.",
        "Shao, Zhao, Ge, Zhang, Yang, Wang, Shan, Luo 2022, Not All Models Are Equal: Predicting Model Transferability "
        "in a Self-challenging Fisher Space, ECCV, arXiv 2207.03036",
    ),
    "nearest_class_mean": Card(
        r"\frac1n\sum_i\mathrm{softmax}_c\bigl(x_i^\top m_c-\tfrac12\lVert m_c\rVert^2+\log\pi_c\bigr)_{y_i}",
        "m: the class means; π: the classes' shares.",
        "The distance of each image to the means of the classes, its own included.",
        "It depends on the features' scale: large features make it sure of anything. Each image is part of its own "
        "class's mean, so with few labels it comes near 1.",
        "Gholami, Akbari, Wang, Kamranian, Zhang 2023, ETran: Energy-Based Transferability Estimation, ICCV, arXiv "
        "2308.02027 (what the classification score of their public code comes to)",
    ),
    "knn": Card(
        r"\frac{100}{n}\sum_i\bigl[y_{\mathrm{nn}(i)}=y_i\bigr]",
        "nn(i): the other labeled image nearest to image i.",
        "Which labeled image is nearest, and nothing else.",
        "Coarse with few labels: one image more or less is 100 ÷ n percent. Yet in one study of 23 scores on 16 data "
        "sets k nearest neighbors predicted best (Sorkhei et al. 2025, arXiv 2503.18528).",
        "Cover, Hart 1967, Nearest Neighbor Pattern Classification, IEEE Transactions on Information Theory 13; as a "
        "score of teachers: Bolya et al. 2021",
    ),
    "probe": Card(
        r"\frac{100}{n}\sum_i\bigl[\arg\max_c\,(W_{-i}^\top z_i)_c=y_i\bigr]",
        "W without i: ridge regression on the folds that image i is not in; z: the features, scaled.",
        "What a linear classifier gets right on images that it did not learn from: the closest of all to what is "
        "wanted.",
        "Needs three labels a class and is coarse with few. The strength of the ridge is chosen on the same folds, so "
        "it is a little optimistic. It tests a classifier on frozen features; distillation may rank teachers "
        "differently.",
        "Hoerl, Kennard 1970, Ridge Regression: Biased Estimation for Nonorthogonal Problems, Technometrics 12",
    ),
    "static": Card(
        r"\log_{10}(\text{training images})+\log_{10}(\text{parameters})",
        "Both from the teacher's record.",
        "The teacher, and never the task: the same order for every task.",
        "Wherever a small teacher knows your kind of images. A metric that does no better is not worth its cost.",
        "Ours, as a baseline; a fixed order by size beat LogME on the usual benchmark (Singh, Hess, Vanschoren 2025, "
        "How NOT to benchmark your SITE metric, arXiv 2510.06448)",
    ),
    "random": Card(
        r"u\sim\mathrm{Uniform}(0,1)",
        "Drawn from the teacher's name and the seed.",
        "Nothing.",
        "Always. It shows how good an order by chance alone can look.",
        "Ours, as a baseline",
    ),
}
