"""Which engines there are, their settings, and where the same comparison gives the same results."""

from dataclasses import replace

import pytest

from engine import jobs
from engine.cli.program import main
from engine.errors import InvalidInputError, UnknownNameError
from engine.files import write_json
from engine.runs import dispatch, drain, place_of, plan, start
from engine.runs.dispatching import EngineThread, thread_of
from engine.runs.engines import ENGINES, FILES, Ticket, configured, engine_settings, get_engine, keep_ticket, register
from engine.runs.queue import QueueThread
from engine.runs.roster import listed
from tests.engine.runs.engines.conftest import weights


def settings(home, **engines):
    home.path.mkdir(exist_ok=True)
    write_json(home.settings, {"engines": engines})


def test_each_engine_is_one_file():
    assert tuple(ENGINES) == FILES == ("local", "slurm", "ray")
    assert [engine.lane for engine in ENGINES.values()] == [None, "slurm", "ray"]
    with pytest.raises(ValueError, match="already"):
        register(ENGINES["ray"])
    with pytest.raises(UnknownNameError, match="did you mean slurm"):
        get_engine("slrum")


def test_what_is_configured_can_be_chosen(home):
    assert configured(home) == ["local"]
    settings(home, ray={}, slurm={"minutes": 30})
    assert configured(home) == ["local", "slurm", "ray"]
    assert engine_settings(home, "slurm").minutes == 30
    settings(home, sge={})
    with pytest.raises(UnknownNameError, match="no engine named 'sge'"):
        configured(home)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"minutes": "long"}, "the setting engines.slurm.minutes is 'long': expected a whole number, got a text."),
        ({"minutes": 0}, "the setting engines.slurm.minutes is 0: expected a whole number of at least 1."),
        ({"memory_gb": -1}, "the setting engines.slurm.memory_gb is -1: expected a number above 0.0."),
        ({"device": "tpu"}, "the setting engines.slurm.device is 'tpu': invalid enum value 'tpu'."),
        ({"setup": "module load cuda"}, "the setting engines.slurm.setup is 'module load cuda': expected a list, got"),
        ({"minuets": 5}, "no setting of the engine slurm named 'minuets': did you mean minutes?"),
        ([], "engines.slurm is []: write its settings in braces."),
    ],
)
def test_a_wrong_setting_is_named(home, values, said):
    settings(home, slurm=values)
    with pytest.raises((InvalidInputError, UnknownNameError)) as caught:
        engine_settings(home, "slurm")
    assert said in str(caught.value)


def test_a_cluster_may_have_what_this_machine_lacks(home):
    assert place_of(home, "local", "cpu") == ("cpu", 1)
    assert place_of(home, "slurm", "cuda") == ("cuda", 1)
    settings(home, slurm={"device": "cuda", "cpus": 4})
    assert place_of(home, "slurm", None) == ("cuda", 4)
    assert place_of(home, "slurm", "cpu") == ("cpu", 4)
    with pytest.raises(InvalidInputError, match="--device cuda:1: the engine slurm gives a job cuda or cpu"):
        place_of(home, "slurm", "cuda:1")


def test_a_run_waits_where_it_was_asked_for_last(home, emoji, small):
    [spec] = plan(home, emoji, ["fine-tune"], [0], **small)
    start(home, [spec], "cpu", "slurm")
    job = jobs.load(home.runs / spec.run_id)
    assert (job.lane, job.device) == ("slurm", "cpu")
    start(home, [spec], "cpu")
    assert jobs.load(job.folder).lane == "cpu"


def test_a_list_of_runs_says_where_each_is(home, emoji, small):
    [spec] = plan(home, emoji, ["fine-tune"], [0], **small)
    start(home, [spec], "cpu", "slurm")
    job = jobs.load(home.runs / spec.run_id)
    assert listed(home, job, jobs.status(job)).where == "SLURM"
    keep_ticket(job, Ticket("slurm", "41_3", jobs.status(job).queued, 0.0))
    running = replace(jobs.status(job), state="running", host="node7")
    assert listed(home, job, running).where == "SLURM job 41_3 of node7"


def test_whose_thread_has_the_jobs_done(home):
    assert type(thread_of(home, "local", "cpu")) is QueueThread
    assert type(thread_of(home, "slurm", "cpu")) is EngineThread


def test_the_command_line_names_what_is_wrong(home, capsys):
    assert main(["work", "--engine", "rya"]) == 1
    assert "error: There is no engine named 'rya': did you mean ray" in capsys.readouterr().err


def test_the_same_work_gives_the_same_weights_on_this_machine_and_on_slurm(home, light, fit):
    """To the last bit, also after a kill; `test_ray.py` has the same on Ray, and `make faults` has real runs."""
    settings(home, slurm={"cluster": "local"})
    here, there, killed = fit("cpu", "here"), fit("slurm", "there"), fit("slurm", "killed", die_at=7)
    drain(home, "cpu", until_empty=True)
    dispatch(home, "slurm", until_empty=True)
    assert weights(here) == weights(there) == weights(killed)
    assert jobs.status(killed).attempts == 2
