"""The check, on arrays: what it finds, what its default does, and that each choice does what it says."""

import time

import numpy as np
import pytest

from engine.errors import InvalidInputError, UnknownNameError
from engine.review import checked, count_open, decide, decisions, duplicates, open_task
from engine.review.check import review
from engine.review.decisions import settled
from engine.review.duplicates import exact_clusters, near_clusters
from engine.review.findings import Decisions
from engine.review.geometry import advise, check_size, relative_cost
from engine.review.splitting import hold_out, joined_units
from engine.tasks import Draw, given_labels, relabel, task_as_labeled
from engine.tasks.facts import Facts, ImportSummary
from tests.engine.intake import made_sources as made
from tests.engine.review import made_large


def facts(count, *, groups=None, same=(), alike=(), sizes=None, flat=()):
    """Facts of images of 64 by 64; same and alike list rows that belong together."""

    def first(clusters):
        rows = np.arange(count)
        for cluster in clusters:
            rows[list(cluster)] = min(cluster)
        return rows

    widths, heights = np.array(sizes or [(64, 64)] * count, dtype=np.int32).T
    showing_nothing = np.zeros(count, dtype=bool)
    showing_nothing[list(flat)] = True
    names = np.array([""] * count if groups is None else groups, dtype=np.str_)
    return Facts(widths, heights, names, first(same), first([*same, *alike]), showing_nothing, [[]] * count)


ABOUT = ImportSummary("x", "class-folders", "folders by class", (), (), 0, (), 0, {})


def look(labels, given=None, *, classes=("cat", "dog"), about=ABOUT, decisions=None, **of):
    labels = np.array(labels, dtype=np.int64)
    given = np.array([""] * len(labels) if given is None else given, dtype="<U5")
    return review(facts(len(labels), **of), about, classes, labels, given, decisions or Decisions())


def found(result, key):
    return next((f for f in result.findings if f.key == key), None)


HALF = ["train"] * 10 + ["test"] * 2 + ["train"] * 10 + ["test"] * 2  # 12 cats, 12 dogs
PETS = [0] * 12 + [1] * 12


def test_nothing_odd_finds_nothing_but_a_small_test():
    result = look(PETS, HALF)
    assert [f.key for f in result.findings] == ["few-test-images"]
    assert "± 35 points" in found(result, "few-test-images").text  # 1.96 * .5 / sqrt(4 + 3.84)
    assert result.splits.tolist() == HALF


HIDDEN = [0] * 10 + [1] * 10 + [-1] * 4  # the source's test images have no labels
KEPT_BACK = ["train"] * 20 + ["test"] * 4


def test_test_images_without_labels_neither_test_nor_train():
    result = look(HIDDEN, KEPT_BACK)
    assert result.split_method == "stratified"
    assert sorted(result.splits[:20].tolist()) == ["test"] * 4 + ["train"] * 16  # a fifth of the labeled ones
    assert result.splits[20:].tolist() == ["test"] * 4
    assert found(result, "unlabeled-test").count == 4
    training = look(HIDDEN, KEPT_BACK, decisions=Decisions({"unlabeled-test": "train"}))
    assert training.splits[20:].tolist() == ["train"] * 4


def test_it_is_said_what_takes_no_part_and_why():
    result = look(HIDDEN, KEPT_BACK, same=[(0, 3, 5)], flat=[8], decisions=Decisions({"flat": "leave-out"}))
    assert dict(result.left_out) == {
        "held out by the source itself, without a label": 4,
        "further exact copies of an image": 2,
        "pictures of nothing": 1,
    }
    groups = [f"tile {row // 4}" for row in range(24)]
    tiles = look([0, 1, -1, -1] * 6, groups=groups, decisions=Decisions(split="by-group"))
    tested = np.isin(groups, [groups[row] for row in np.flatnonzero(tiles.splits == "test")])
    assert dict(tiles.left_out) == {
        "unlabeled, and copies of a test image or of its group": int((tested & (tiles.labels < 0)).sum())
    }
    assert int((tiles.splits == "out").sum()) == tiles.left_out[0][1] > 0


def test_what_a_new_split_by_groups_leaves_out_stays_out():
    groups = ["a"] * 6 + ["b"] * 6 + ["c"] * 6 + ["d"] * 6
    labels, given = [*[0, 1] * 11, -1, -1], ["train", "test", *["train"] * 20, "test", "test"]
    decided = Decisions({"groups-across": "by-group", "contradictions": "leave-out"})
    result = look(labels, given, groups=groups, same=[(8, 9)], decisions=decided)
    assert result.split_method == "by-group"
    assert result.splits[[8, 9]].tolist() == ["out", "out"]
    assert result.splits[22:].tolist() == ["test", "test"]
    assert result.labels[22:].tolist() == [-1, -1]


def test_the_split_of_the_source_counts_once_its_test_images_have_labels():
    result = look([*HIDDEN[:-2], 0, 1], KEPT_BACK)
    assert result.split_method == "given"
    assert result.splits.tolist() == KEPT_BACK
    assert found(result, "unlabeled-test").count == 2


def test_exact_copies_on_one_side_are_kept_once():
    result = look(PETS, HALF, same=[(0, 3, 5)])
    assert found(result, "copies").count == 2
    assert found(result, "copies").clusters == ((0, 3, 5),)
    assert np.flatnonzero(result.splits == "out").tolist() == [3, 5]
    kept = look(PETS, HALF, same=[(0, 3, 5)], decisions=Decisions({"copies": "keep"}))
    assert kept.splits.tolist() == HALF
    assert found(kept, "copies").decided


def test_of_copies_the_labeled_one_is_kept():
    result = look([-1, 0, *PETS], same=[(0, 1)])
    assert (result.splits[0], result.labels[1]) == ("out", 0)


def test_near_copies_are_told_and_kept():
    result = look(PETS, HALF, alike=[(0, 1)])
    assert (found(result, "alike").choice, result.splits.tolist()) == ("keep", HALF)
    cut = look(PETS, HALF, alike=[(0, 1)], decisions=Decisions({"alike": "keep-one"}))
    assert np.flatnonzero(cut.splits == "out").tolist() == [1]


@pytest.mark.parametrize(("kind", "key"), [("same", "copies-across"), ("alike", "alike-across")])
def test_copies_across_train_and_test(kind, key):
    clusters = {kind: [(0, 10)]}  # row 10 tests
    assert np.flatnonzero(look(PETS, HALF, **clusters).splits == "out").tolist() == [0]
    other = look(PETS, HALF, **clusters, decisions=Decisions({key: "leave-out-test"}))
    assert np.flatnonzero(other.splits == "out").tolist() == [10]
    kept = look(PETS, HALF, **clusters, decisions=Decisions({key: "keep"}))
    assert kept.splits.tolist() == HALF
    assert found(kept, key).severity == "problem"


def test_a_split_of_ours_never_parts_copies():
    for seed in range(5):
        result = look([0] * 20 + [1] * 20, alike=[(0, 1, 2), (20, 30)], decisions=Decisions(seed=seed))
        assert found(result, "alike-across") is None
        assert len({*result.splits[[0, 1, 2]]}) == 1


def test_copies_with_different_labels_lose_them():
    result = look(PETS, HALF, same=[(0, 12)])
    assert found(result, "contradictions").count == 2
    assert result.labels[[0, 12]].tolist() == [-1, -1]
    out = look(PETS, HALF, same=[(0, 12)], decisions=Decisions({"contradictions": "leave-out"}))
    assert out.splits[[0, 12]].tolist() == ["out", "out"]


def test_groups_that_straddle_a_given_split():
    groups = ["p1", *["" for _ in range(9)], "p1", *["" for _ in range(13)]]
    result = look(PETS, HALF, groups=groups)
    assert found(result, "groups-across").names == (("p1", "2 images"),)
    assert np.flatnonzero(result.splits == "out").tolist() == [0]  # one image of 20: a small mending
    new = look(PETS, HALF, groups=groups, decisions=Decisions({"groups-across": "by-group"}))
    assert new.splits[0] == new.splits[10]
    assert new.split_method == "by-group"


def test_when_all_groups_straddle_a_new_split_is_drawn():
    groups = [f"p{i % 4}" for i in range(24)]
    result = look(PETS, HALF, groups=groups)
    assert found(result, "groups-across").default == "by-group"
    sides = {(g, s) for g, s in zip(groups, result.splits, strict=True)}
    assert len(sides) == 4
    assert {s for _, s in sides} == {"train", "test"}


def test_small_and_empty_classes():
    labels = [0] * 12 + [1] * 12 + [2] * 2 + [3]
    given = [*HALF, "train", "train", "test"]
    result = look(labels, given, classes=("a", "b", "few", "only tested"))
    assert found(result, "few-labels").names == (("few", "2 images"),)
    assert found(result, "untested-classes").names == (("few", "2 in training"),)
    assert result.classes == ("a", "b", "few")  # what cannot be learned goes
    assert result.splits[-1] == "out"
    kept = look(
        labels, given, classes=("a", "b", "few", "only tested"),
        decisions=Decisions({"empty-classes": "keep", "few-labels": "leave-out"}),
    )  # fmt: skip
    assert kept.classes == ("a", "b", "only tested")
    assert kept.labels[-1] == 2


def test_imbalance_and_spellings():
    labels = [0] * 50 + [1] * 10 + [2] * 4
    apart = look(labels, classes=("Cat", "dog", "cat "))
    assert apart.classes == ("Cat", "dog", "cat ")  # a likely second spelling is asked about, never merged unasked
    assert (found(apart, "class-names").choice, found(apart, "class-names").names) == ("keep", (("Cat", "cat "),))
    assert found(apart, "imbalance").title == "The largest class has 13 times the smallest"  # 40 to 3
    merged = look(labels, classes=("Cat", "dog", "cat "), decisions=Decisions({"class-names": "merge"}))
    assert merged.classes == ("Cat", "dog")
    assert (merged.labels == 0).sum() == 54
    assert found(merged, "imbalance") is None
    assert found(merged, "empty-classes") is None  # its images are of the first spelling now


@pytest.mark.parametrize(
    "names",
    [
        *(
            ("HPV+", "HPV-", "HPV"),
            ("-1", "1"),
            ("1.5", "15", "1,5"),
            ("C", "C++", "C#", "c"),
            ("A", "a"),
        ),
        ("AB", "Ab"),
        *(("grade 1", "grade -1", "grade 01"), ("B/C cells", "BC cells"), ("Maße", "Masse"), ("no. 5 & 6", "no. 5 6")),
        *(("कि", "की", "क"), ("กิน", "กีน"), ("резюме", "резюмё"), ("Müller", "Muller"), ("犬", "猫"), ("+++", "---")),
    ],
)
def test_different_names_stay_different_classes(names):
    labels = np.repeat(np.arange(len(names)), 10)
    result = look(labels, classes=names, decisions=Decisions({"class-names": "merge"}))  # even if that was wished for
    assert result.classes == names
    assert found(result, "class-names") is None


@pytest.mark.parametrize(
    "names", [("Cat", "cat"), ("golden retriever", "golden_retriever", "Golden-Retriever"), ("class_1", "class 1")]
)
def test_likely_spellings_of_one_name_are_asked_about(names):
    result = look(np.repeat(np.arange(len(names)), 10), classes=names)
    assert result.classes == names
    assert found(result, "class-names").names == ((names[0], ", ".join(names[1:])),)


def test_odd_images():
    sizes = [(64, 64)] * 22 + [(10, 12), (400, 100)]
    result = look(PETS, HALF, sizes=sizes, flat=[5])
    assert (found(result, "small").rows, found(result, "elongated").rows, found(result, "flat").rows) == (
        (22,),
        (23,),
        (5,),
    )
    assert result.splits.tolist() == HALF
    out = look(PETS, HALF, sizes=sizes, flat=[5], decisions=Decisions({"flat": "leave-out", "small": "leave-out"}))
    assert np.flatnonzero(out.splits == "out").tolist() == [5, 22]
    assert found(look(PETS, HALF, sizes=[(28, 28)] * 24), "small") is None  # all are: nothing is odd


def test_what_cannot_be_is_refused():
    with pytest.raises(UnknownNameError, match="no choice for 'copies' named 'burn'"):
        look(PETS, HALF, same=[(0, 1)], decisions=Decisions({"copies": "burn"}))
    with pytest.raises(InvalidInputError, match="no split 'by-group', for lack of groups"):
        look(PETS, HALF, decisions=Decisions(split="by-group"))
    with pytest.raises(InvalidInputError, match="at least two classes"):
        look([0] * 12, classes=("cat",))
    with pytest.raises(UnknownNameError, match="kind of split"):
        Decisions(split="mine")
    with pytest.raises(InvalidInputError, match="share"):
        Decisions(test_share=1.5)


def test_decisions_about_what_is_not_there_are_ignored():
    assert look(PETS, HALF, decisions=Decisions({"copies": "keep"})).splits.tolist() == HALF


# Splits


def test_a_stratified_split_has_its_share_of_every_class():
    labels = np.repeat(np.arange(4), (100, 50, 10, 2))
    splits = hold_out(labels, np.arange(162), 0.2, seed=1)
    assert [int((splits[labels == k] == "test").sum()) for k in range(4)] == [20, 10, 2, 1]
    assert (hold_out(labels, np.arange(162), 0.2, seed=1) == splits).all()
    assert (hold_out(labels, np.arange(162), 0.2, seed=2) != splits).any()


def test_the_unlabeled_train_unless_their_group_is_held_out():
    labels = np.array([0, 1] * 10 + [-1] * 10)
    units = np.concatenate([np.arange(20) // 2, np.arange(10)])
    splits = hold_out(labels, units, 0.3, seed=0)
    for unit in range(10):
        assert set(splits[units == unit]) in ({"train"}, {"test", "out"})
    assert (splits == "test").sum() == 6


def test_a_group_split_is_near_its_share_and_never_takes_a_whole_class():
    random = np.random.default_rng(0)
    groups = random.integers(0, 60, 600)
    labels = random.integers(0, 5, 600)
    splits = hold_out(labels, groups, 0.2, seed=3)
    assert 0.17 < (splits == "test").mean() < 0.23
    assert not set(groups[splits == "test"]) & set(groups[splits == "train"])
    one_group_each = np.repeat([0, 1], 10)
    assert (hold_out(one_group_each, one_group_each, 0.5) == "train").all()


def test_units_that_share_anything_are_joined():
    units = joined_units(np.array([0, 0, 2, 3]), np.array([-1, 5, 5, -1]))
    assert len(set(units[:3])) == 1
    assert units[3] != units[0]


# Duplicates


def test_exact_copies_by_checksum():
    assert exact_clusters(["a", "b", "a", "a"]).tolist() == [0, 1, 0, 0]


def test_near_copies_are_found_and_other_images_are_not(bring, tmp_path):
    from PIL import Image

    pictures = {f"{'ab'[i % 2]}/{i}.png": made.encoded(made.picture(i, (60, 60))) for i in range(40)}
    resized = made.picture(0, (60, 60)).resize((37, 37), Image.Resampling.LANCZOS)
    pictures["a/resized.jpg"] = made.encoded(resized, "JPEG", quality=70)
    pictures["a/turned.png"] = made.encoded(made.picture(2, (60, 60)).transpose(Image.Transpose.ROTATE_90))
    task = bring(made.put(tmp_path / "x", pictures))
    of = dict(zip(task.images.image_ids, checked(task).facts.alike, strict=True))
    assert of["a/resized.jpg"] == of["a/0.png"]
    assert len(set(of.values())) == 41


def test_near_clusters_agree_with_comparing_all_pairs():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, 400, dtype=np.uint64)
    hashes[200:] = hashes[:200]
    for row in range(200, 400):  # up to eight bits differ
        for bit in random.choice(64, random.integers(0, 9), replace=False):
            hashes[row] ^= np.uint64(1) << np.uint64(bit)
    small = np.tile(np.arange(192, dtype=np.uint8), (400, 1))
    clusters = near_clusters(hashes, small)
    distance = np.bitwise_count(hashes[:, None] ^ hashes[None])
    expected = np.arange(400)
    for row in range(200):
        if distance[row, row + 200] <= 6:
            expected[row + 200] = row
    assert (distance[:200, :200] + 64 * np.eye(200, dtype=int)).min() > 6  # so that there are pairs alone
    assert clusters.tolist() == expected.tolist()


def near_copies(count, kinds=1):
    """Hashes and small copies of `count` images that are near copies of a few."""
    random = np.random.default_rng(0)
    of = np.arange(count) % kinds
    hashes = random.integers(0, 2**63, kinds, dtype=np.uint64)[of]
    hashes ^= np.uint64(1) << random.integers(0, 64, count, dtype=np.uint64)  # one bit differs
    small = random.integers(20, 230, (kinds, 192))[of] + random.integers(-3, 4, (count, 192))
    return hashes, small.astype(np.uint8), of


@pytest.mark.parametrize(("kinds", "longest", "most"), [(1, 8000, 4000), (40, 8000, 4000), (1, 500, 8000)])
def test_many_near_copies_take_no_more_work_than_different_images(monkeypatch, kinds, longest, most):
    compared, compare = [], duplicates._look_alike
    monkeypatch.setattr(
        duplicates,
        "_look_alike",
        lambda small, one, other: compared.append(len(one)) or compare(small, one, other),
    )
    monkeypatch.setattr(duplicates, "_LONGEST_BUCKET", longest)
    hashes, small, of = near_copies(2000, kinds)
    assert near_clusters(hashes, small).tolist() == of.tolist()  # the first of each kind
    assert sum(compared) <= most  # pairs; all would be two million
    assert max(compared) <= 4096  # at once, which is what memory is needed for


def test_images_that_share_a_hash_alone_are_compared_a_bounded_number_of_times(monkeypatch):
    monkeypatch.setattr(duplicates, "_MOST_COMPARED", 5)
    monkeypatch.setattr(duplicates, "_LONGEST_BUCKET", 100)
    small = np.random.default_rng(0).integers(0, 255, (300, 192)).astype(np.uint8)
    small[150] = small[149]
    clusters = near_clusters(np.zeros(300, dtype=np.uint64), small)
    assert np.flatnonzero(clusters != np.arange(300)).tolist() == [150]


def test_blank_images_look_like_nothing():
    assert near_clusters(np.zeros(3, dtype=np.uint64), np.full((3, 192), 255, dtype=np.uint8)).tolist() == [0, 1, 2]


# Geometry


@pytest.mark.parametrize(("sides", "resize"), [((100, 100), "squash"), ((150, 100), "crop"), ((300, 100), "pad")])
def test_advice_follows_the_aspect(sides, resize):
    assert advise(np.full(9, sides[0], np.int32), np.full(9, sides[1], np.int32)).resize == resize


def test_advice_on_the_size():
    for side, size in ((20, 32), (32, 32), (35, 32), (40, 64), (62, 64), (70, 64), (400, 64)):
        assert advise(np.full(9, side, np.int32), np.full(9, side, np.int32)).size == size
    large = advise(np.full(9, 400, np.int32), np.full(9, 500, np.int32))
    assert large.size == 64
    assert "up to 224 pixels, at 12 times the cost" in large.size_reason  # (224 / 64)²
    assert relative_cost(128) == 4
    with pytest.raises(InvalidInputError, match="from 16 to 1024"):
        check_size(4)


# Revisions


@pytest.fixture
def pets(bring, tmp_path):
    files = {**made.classes_of(8), "cat/copy.jpg": made.jpg(0), "dog/wrong.jpg": made.jpg(1)}
    return bring(made.put(tmp_path / "pets", files))


def test_decisions_are_revisions_that_can_be_taken_back(pets):
    assert pets.record.decisions["findings"]["copies"] == {"choice": "keep-one", "by": "default"}
    kept = decide(pets, findings={"copies": "keep"})
    assert kept.revision != pets.revision
    assert kept.record.decisions["findings"]["copies"] == {"choice": "keep", "by": "user"}
    assert not (kept.splits == "out").any()
    back = decide(kept, findings={"copies": None})
    assert back.revision == pets.revision
    assert (pets.folder / "splits" / f"{kept.record.split}.parquet").exists()


def test_accepting_is_deciding_for_what_holds(pets):
    before = checked(pets)
    assert {f.key for f in before.open_findings} == {"contradictions", "copies", "few-test-images"}
    task = decide(pets, findings={f.key: f.choice for f in before.open_findings})
    assert checked(task).open_findings == ()
    assert task.revision == pets.revision


def test_geometry_split_and_title_are_decisions(pets):
    task = decide(pets, resize="pad", student_size=96, flip=False, title=" Two <b>pets</b> ", test_share=0.4, seed=7)
    record = open_task(pets.workspace, pets.name).record
    assert (record.resize, record.student_size, record.flip, record.title) == ("pad", 96, False, "Two <b>pets</b>")
    assert len(task.test_rows) > len(pets.test_rows)


def test_a_wrong_decision_changes_nothing(pets):
    for wrong in (
        {"resize": "melt"},
        {"student_size": 3},
        {"split": "given"},
        {"findings": {"copies": "x"}},
        {"title": " "},
    ):
        with pytest.raises((InvalidInputError, UnknownNameError)):
            decide(pets, **wrong)
    assert open_task(pets.workspace, pets.name).revision == pets.revision


def test_bundled_tasks_take_no_decisions(emoji):
    with pytest.raises(InvalidInputError, match="came with the program"):
        decide(emoji, resize="pad")
    with pytest.raises(InvalidInputError, match="came with the program"):
        checked(emoji)


def test_labels_by_hand_and_undo(pets):
    before = given_labels(pets)
    task = relabel(pets, {0: "bird", 1: None, 2: "dog"})
    assert given_labels(task)[:3] == ["bird", None, "dog"]
    again = settled(relabel(task, {row: before[row] for row in range(3)}))
    assert again.labels.tolist() == pets.labels.tolist()
    with pytest.raises(InvalidInputError, match="no image number 99"):
        relabel(pets, {99: "cat"})
    with pytest.raises(InvalidInputError, match="needs a name"):
        relabel(pets, {0: " \n"})


def test_labels_are_written_at_once_and_reviewed_when_somebody_asks(pets):
    home, names = pets.workspace, list((pets.folder / "splits").iterdir())
    first = pets.record.given_labels
    task = relabel(relabel(pets, {2: "bird"}), {3: "bird"})
    assert given_labels(task, [3, 2, 4]) == ["bird", "bird", "cat"]
    assert (pets.folder / "labels" / f"{first}.parquet").exists()
    assert task_as_labeled(home, "mine").record == task.record
    assert not task.is_settled
    assert (task.classes, task.revision) == (pets.classes, pets.revision)  # those of the last review
    assert list((pets.folder / "splits").iterdir()) == names
    reviewed = open_task(home, "mine")
    assert reviewed.is_settled
    assert reviewed.classes == ("cat", "dog", "bird")
    assert reviewed.labels[[2, 3]].tolist() == [2, 2]
    assert reviewed.record == task_as_labeled(home, "mine").record
    assert checked(task).review.labels.tolist() == reviewed.labels.tolist()
    assert count_open(reviewed) == len(checked(reviewed).open_findings)


def test_a_review_is_computed_once(pets, monkeypatch):
    calls = []
    monkeypatch.setattr(decisions, "review", lambda *given: calls.append(1) or review(*given))
    task = settled(relabel(pets, {0: "dog"}))
    checked(task)
    checked(decide(task, findings={"copies": "keep"}))
    assert len(calls) == 2  # one for the label, one for the decision
    checked(open_task(pets.workspace, "mine"))
    assert len(calls) == 2


def test_labels_of_which_nothing_can_be_learned_are_kept_and_refused(pets):
    home = pets.workspace
    names = given_labels(pets)
    relabel(pets, dict.fromkeys(range(len(names)), "cat"))
    with pytest.raises(InvalidInputError, match="at least two classes"):
        open_task(home, "mine")
    task = task_as_labeled(home, "mine")
    assert set(given_labels(task)) == {"cat"}
    relabel(task, dict(enumerate(names)))
    assert open_task(home, "mine").revision == pets.revision


def test_a_label_costs_a_small_part_of_a_review(home):
    def seconds(step):
        began = time.process_time()
        step()
        return time.process_time() - began

    task = made_large.task_of(home, 100_000)
    label = min(seconds(lambda row=row: relabel(task, {row: "class 03"})) for row in range(5))
    reviewing = seconds(lambda: open_task(home, "large"))
    assert open_task(home, "large").labels[4] == 3
    assert label < reviewing / 4  # measured: a tenth
    assert sum(path.stat().st_size for path in (task.folder / "labels").iterdir()) < 8 * 400_000


def test_labeling_one_image_after_the_other_changes_few_sides(bring, tmp_path):
    task = bring(made.put(tmp_path / "x", {f"{i}.jpg": made.jpg(i) for i in range(30)}), classes=("a", "b"))
    moves, before = 0, {}
    for row in range(20):
        task = settled(relabel(task, {row: "ab"[row % 2]}))
        assert task.classes == ("a", "b")
        sides = {r: str(task.splits[r]) for r in range(row + 1)}
        moves += sum(sides[r] != side for r, side in before.items())
        before = sides
    assert len(task.test_rows) == 4
    assert moves <= 8  # of 190 chances to move; most of them are first held out when their share is reached


def test_labeling_from_nothing(bring, tmp_path):
    task = bring(made.put(tmp_path / "x", {f"{i}.jpg": made.jpg(i) for i in range(12)}), classes=("a", "b"))
    task = settled(relabel(task, {i: "ab"[i % 2] for i in range(10)}))
    assert (len(task.train_rows), len(task.test_rows)) == (10, 2)
    assert task.labeled_rows(Draw(2, 0)).size == 4
