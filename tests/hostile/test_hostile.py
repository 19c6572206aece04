import pytest

from tests.hostile.cases import MAKERS, all_cases
from tests.hostile.suite import Bench, Outcome

EACH = 3  # cases of a mechanism that are run here: `make hostile` runs them all, which takes minutes


def some_of_each(cases):
    """At most `EACH` cases of each mechanism, from the first to the last."""
    by_mechanism = {}
    for case in cases:
        by_mechanism.setdefault(case.mechanism, []).append(case)
    for found in by_mechanism.values():
        count = min(EACH, len(found))
        yield from (found[i * len(found) // count] for i in range(count))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with Bench(tmp_path_factory.mktemp("bench")) as found:
        yield found


@pytest.mark.filterwarnings("ignore::UserWarning")  # of libraries that made the broken files
@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_every_hostile_input_ends_in_a_task_or_a_sentence(bench, make):
    outcome = Outcome()
    for case in some_of_each(make()):
        bench.run(case, outcome)
    assert outcome.failures == []
    assert outcome.cases > 0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_suite_is_as_large_as_it_says():
    by_mechanism = {}
    for case in all_cases():
        by_mechanism[case.mechanism] = by_mechanism.get(case.mechanism, 0) + max(1, len(case.files))
    assert sum(by_mechanism.values()) >= 300
    assert len(by_mechanism) >= 25
    assert min(by_mechanism.values()) >= 2


def test_the_bench_sees_what_it_forbids(bench, tmp_path):
    from tests.hostile.suite import Case

    def writes_outside(folder):
        (bench.root / "evil.txt").write_text("x")
        return "/nowhere"

    def leaves_something(folder):
        bench.surroundings = bench._surroundings()
        (bench.home.tasks / "half").mkdir(parents=True)
        return "/nowhere"

    def breaks(folder):
        raise KeyError("a bug")

    outcome = Outcome()
    for bring in (leaves_something, breaks):
        bench.run(Case("x", bring.__name__, bring), outcome)
    bench.surroundings = bench._surroundings()
    before = bench.surroundings
    writes_outside(tmp_path)
    assert bench._surroundings() != before
    (bench.root / "evil.txt").unlink()
    assert [failure.split(":")[0] for failure in outcome.failures] == ["leaves_something", "breaks"]
