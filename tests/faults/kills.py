"""SIGKILL at random moments and in the middle of writes: to workers, those that wait included, to whoever works off the
queue, and to the app.

A trial is a workspace with a run, an extraction and an import in their three lanes, which apps and `work` drain. It
ends when all three are done; then the student's weights are compared with those of a run that nobody killed, every
job's starts are counted, and every file is read.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from engine import jobs
from engine.errors import WorkbenchError
from engine.intake import ImportRequest, request_import
from engine.jobs import Job
from engine.records import read_value
from engine.review import open_task
from engine.runs import plan, start
from engine.runs.extraction_job import request_extraction
from engine.tasks import Draw, relabel
from engine.tensors import read_tensors, reading_tensors
from engine.workspace import Workspace
from tests.faults import processes
from tests.faults.account import Account
from tests.faults.processes import Process, Starter, living
from tests.faults.workspace import make

KILLS, IN_WRITES = 100, 20  # at least so many
DEATHS = 2  # of one job's workers: a third one would be its last attempt
LANES = 3  # of this machine's processor, of what somebody waits for, of imports
PATIENCE = 240.0  # s without a change until a trial is given up, and what is not done counts as lost
TASK = "emoji-fluent"
STUDENT = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "images": 2_000}
WRITES = (  # of which kind of job's worker, and which file it writes when it is killed
    ("run", "-checkpoint.safetensors"),
    ("run", "-predictions.parquet"),
    ("run", "-student.safetensors"),
    ("run", "-result.json"),
    ("run", "-status.json"),
    ("run", "-record.json"),  # of pixels
)
ALWAYS = (("extraction", ".safetensors"), ("import", ".parquet"))  # features; images, labels, split
MOMENTS = (0.1, 2.5)  # s between two kills at a random moment
REFRESH = 0.3  # s between looks at which processes there are
CREWS = (("app",), ("drainer",), ("app", "app", "drainer"), ("drainer", "drainer"))  # who drains, trial by trial


@dataclass
class Tally:
    """What a campaign of kills came to."""

    kills: Counter[str] = field(default_factory=Counter)  # by role and phase
    in_writes: Counter[str] = field(default_factory=Counter)  # by role and file
    trials: int = 0
    jobs: int = 0
    lost: list[str] = field(default_factory=list)
    wrong_weights: list[str] = field(default_factory=list)
    run_twice: list[str] = field(default_factory=list)
    half_made: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        """How many kills there were."""
        return sum(self.kills.values())

    @property
    def killed_in_writes(self) -> int:
        """How many of them came between a temporary file and its renaming."""
        return sum(self.in_writes.values())

    @property
    def by_role(self) -> dict[str, int]:
        """Kills by who was killed."""
        found: Counter[str] = Counter()
        for name, count in self.kills.items():
            found[name.partition(",")[0]] += count
        return dict(found)

    @property
    def wrong(self) -> list[str]:
        """Whatever was lost, wrong, done twice, half-made or a traceback."""
        return [*self.lost, *self.wrong_weights, *self.run_twice, *self.half_made, *self.tracebacks]


class Trial:
    """One workspace, its jobs, whoever drains them, and the kills."""

    def __init__(self, folder: Path, base: Path, crew: tuple[str, ...], chance: random.Random, tally: Tally) -> None:
        self.home = Workspace(Path(shutil.copytree(base, folder / "home")))
        self.crew, self.chance, self.tally = crew, chance, tally
        self.starter = Starter(self.home, folder)
        self.deaths: Counter[Path] = Counter()

    def run(self, kills: bool = True) -> Job:
        """All of it; the job of the run."""
        try:
            if kills and "app" in self.crew:
                self._open_apps()
            waited = self.asked_for()
            self._drive(waited, self._victims() if kills else [], self._writes() if kills else [])
            self._judge(waited)
            return waited[0]
        finally:
            self.starter.end()

    def _open_apps(self) -> None:
        """Start the apps, wait until a worker waits for each lane, as a user who looks around first, and kill one."""
        for _ in range(self.crew.count("app")):
            self.starter.app()
        until, there = time.monotonic() + PATIENCE, list[Process]()
        while time.monotonic() < until and sum(one.role == "warm" for one in there) < LANES:
            time.sleep(REFRESH)
            there = living(self.home)
        if not self._kill_one(there, "warm"):
            self.tally.lost.append(
                f"trial {self.tally.trials}: no worker waits {PATIENCE:.0f} s after an app was opened"
            )

    def asked_for(self) -> list[Job]:
        """A run, an extraction and an import: one job for each lane."""
        task = open_task(self.home, TASK)
        options = {"labels_per_class": 2, "device": "cpu", "teachers": ["cifar10", "mnist"], **STUDENT}
        [spec] = plan(self.home, task, ["distill-weighted"], [0], **options)
        first = jobs.load(self.home.runs / start(self.home, [spec]).runs[0])
        request = ImportRequest(str(self.home.path / "brought"), "Noise")
        return [
            first,
            request_extraction(self.home, task, Draw(2, 1), device="cpu"),
            request_import(self.home, request),
        ]

    def _victims(self) -> list[str]:
        """Whom to kill at random moments."""
        return [*self.crew, "worker", *self.crew, "warm", "worker", *self.crew, *self.crew]

    def _writes(self) -> list[tuple[str, str]]:
        """Whom to kill in the middle of which write."""
        number = self.tally.trials
        return [WRITES[number % len(WRITES)], WRITES[(number + 2) % len(WRITES)], *ALWAYS]

    def _drive(self, waited: list[Job], victims: list[str], writes: list[tuple[str, str]]) -> None:
        """Kill, and start again what was killed, until all jobs have ended or nothing happens any more."""
        seen: list[tuple[str, str, int]] = []
        changed = looked = time.monotonic()
        moment, there, folders, left = looked + 1.0, living(self.home), list[Path](), set[Path]()
        while time.monotonic() - changed < PATIENCE:
            for path in processes.written_now(folders) if writes else ():
                if path not in left and self._kill_writing(there, path, writes):
                    left.add(path)
            time.sleep(processes.LOOK)
            if time.monotonic() - looked < REFRESH:
                continue
            states = [jobs.status(job) for job in waited]
            if all(now.terminal for now in states):
                return
            now = [(each.state, each.stage, each.done) for each in states]
            there, folders, looked = living(self.home), processes.folders_written_to(self.home), time.monotonic()
            if now != seen:
                seen, changed = now, looked
            self._watch_for_twins(there)
            self.starter.collect()
            self._replace_the_dead(there)
            if looked >= moment:
                killed = next((role for role in victims if self._kill_one(there, role)), None)
                if killed is not None:
                    victims.remove(killed)
                    moment = looked + self.chance.uniform(*MOMENTS)

    def _replace_the_dead(self, there: list[Process]) -> None:
        """Whoever was killed is started again, as a user would."""
        for role in set(self.crew):
            if sum(one.role == role for one in there) < self.crew.count(role):
                getattr(self.starter, role)()

    def _kill_one(self, there: list[Process], role: str) -> bool:
        able = [one for one in there if one.role == role and (one.job is None or self.deaths[one.job] < DEATHS)]
        if not able:
            return False
        victim = self.chance.choice(able)
        doing = processes.phase(self.home, victim)
        if not processes.kill(victim):
            return False
        self._took(victim, doing, None)
        return True

    def _kill_writing(self, there: list[Process], path: Path, writes: list[tuple[str, str]]) -> bool:
        """Kill whoever writes `path` if such a kill is wanted; whether it is settled whose file that is."""
        for wanted in writes:
            kind, suffix = wanted
            of_kind = [one for one in there if one.job is not None and jobs.load(one.job).kind == kind]
            if not of_kind or not path.name.endswith(suffix) or self.deaths[of_kind[0].job] >= DEATHS:
                continue
            doing = processes.phase(self.home, of_kind[0])
            file = processes.kill_inside_a_write(of_kind[0], path)
            if file is not None:
                writes.remove(wanted)
                there.remove(of_kind[0])
                self._took(of_kind[0], doing, file)
            return True
        return False

    def _took(self, victim: Process, doing: str, file: str | None) -> None:
        """Note a kill. A worker that waited may have been given a job in the last moment."""
        job = victim.job or processes.working(self.home).get(victim.pid)
        if job is not None:
            self.deaths[job] += 1
        note(self.tally, victim.role, doing, file)

    def _watch_for_twins(self, there: list[Process]) -> None:
        """No job may have two living workers."""
        at_work = Counter(one.job for one in there if one.job is not None)
        self.tally.run_twice += [f"{job.name} has {count} workers" for job, count in at_work.items() if count > 1]

    def _judge(self, waited: list[Job]) -> None:
        self.tally.trials += 1
        self.tally.jobs += len(waited)
        for job in waited:
            now = jobs.status(job)
            if now.state != "done":
                self.tally.lost.append(f"{job.id} is {now.state} ({now.message})")
            if now.attempts > self.deaths[job.folder] + 1:
                self.tally.run_twice.append(f"{job.id}: {now.attempts} starts, {self.deaths[job.folder]} deaths")
            said = job.log_path.read_text(errors="replace") if job.log_path.exists() else ""
            self.tally.tracebacks += [f"{job.id}: {said[-400:]}"] if "Traceback" in said else []
        said = self.starter.log.read_text(errors="replace")
        self.tally.tracebacks += [said[-400:]] if "Traceback" in said else []
        self.tally.half_made += unreadable(self.home)


def note(tally: Tally, role: str, doing: str, file: str | None) -> None:
    """Count a kill, and print it as a line of JSON."""
    tally.kills[f"{role}, {doing}"] += 1
    if file is not None:
        tally.in_writes[f"{role}, {kind_of(file)}"] += 1
    print(json.dumps({"killed": role, "phase": doing, "inside a write of": file}), flush=True)


def kind_of(file: str) -> str:
    """A file's name without what is a hash or a number."""
    stem, dot, suffix = file.rpartition(".")
    return file if len(stem) < 16 and not all(sign in "0123456789abcdef" for sign in stem) else f"*{dot}{suffix}"


def unreadable(home: Workspace) -> list[str]:
    """Files of a workspace under their own names that cannot be read as what they are."""
    found = []
    for path in home.path.rglob("*"):
        if path.is_dir() or any(part.startswith(".tmp") for part in path.relative_to(home.path).parts):
            continue
        try:
            if path.suffix == ".json":
                read_value(path, "a record", "restore it")
            elif path.suffix == ".parquet":
                pq.read_table(path, page_checksum_verification=True)
            elif path.suffix == ".safetensors":
                with reading_tensors(path, "pt", also=("about",)):
                    pass
        except (WorkbenchError, OSError, ValueError) as error:
            found.append(f"{path.relative_to(home.path)}: {error}")
    return found


def labels(home: Workspace, kills: int, tally: Tally) -> None:
    """Kill processes that label images inside their writes; the task must open each time.

    They are forked, so that each begins at once.
    """
    folders = [home.tasks / "leaves" / "labels", home.tasks / "leaves"]
    for number in range(kills):
        file, left = None, set(processes.written_now(folders))
        labeler, until = os.fork(), time.monotonic() + 30
        if not labeler:
            _label_for_ever(home, number)
        while file is None and time.monotonic() < until:
            time.sleep(processes.LOOK)
            writing = set(processes.written_now(folders[number % 2 : number % 2 + 1])) - left
            process = Process(labeler, "labeler", None)
            file = next((processes.kill_inside_a_write(process, path) for path in writing), None)
        if file is None:
            os.kill(labeler, signal.SIGKILL)
        else:
            note(tally, "labeler", "labels images, as the app does", file)
        os.waitpid(labeler, 0)
        try:
            open_task(home, "leaves").available_labels()
        except WorkbenchError as error:
            tally.half_made.append(f"leaves: {error}")
    tally.half_made += unreadable(home)


def _label_for_ever(home: Workspace, number: int) -> NoReturn:
    """In a forked process: label one image after the other, as the page Label does, on a slow disk."""
    exec(processes.SLOW_DISK, {})
    task = open_task(home, "leaves")
    while True:
        number += 1
        name = f"class {number}"  # of its own, so that each revision is a new one
        task = relabel(task, {number % len(task.images): name})


def base(folder: Path) -> Path:
    """A workspace with the task and a folder of images to import, to be copied for each trial."""
    home = Workspace(folder / "base")
    open_task(home, TASK)
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)):
        path = home.path / "brought" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return home.path


def campaign(kills: int = KILLS, in_writes: int = IN_WRITES, within: float = math.inf, seed: int = 0) -> Tally:
    """Trials until there were so many kills, or until so many seconds have gone; seed: of when and whom to kill."""
    torch.set_num_threads(1)  # as the workers have: a run's weights depend on it
    chance, tally, until = random.Random(seed), Tally(), time.monotonic() + within
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        first = base(folder)
        labels(make(folder), in_writes // 2, tally)
        (folder / "unbroken").mkdir()
        expected = _weights(_trial(folder / "unbroken", first, ("drainer",), chance, tally).run(kills=False))
        while time.monotonic() < until and (tally.killed < kills or tally.killed_in_writes < in_writes):
            place = folder / str(tally.trials)
            place.mkdir()
            job = _trial(place, first, CREWS[(seed + tally.trials - 1) % len(CREWS)], chance, tally).run()
            found = _weights(job)
            if jobs.status(job).state == "done" and (found is None or not _same(expected, found)):
                tally.wrong_weights.append(f"trial {tally.trials}: {job.id}")
            shutil.rmtree(place)
    return tally


def _trial(place: Path, first: Path, crew: tuple[str, ...], chance: random.Random, tally: Tally) -> Trial:
    trial = Trial(place, first, crew, chance, tally)
    settings = {"import": {"roots": [str(trial.home.path / "brought")]}}
    trial.home.settings.write_text(json.dumps(settings))
    return trial


def _weights(job: Job) -> dict[str, torch.Tensor] | None:
    path = job.folder / "student.safetensors"
    return read_tensors(path) if path.exists() else None


def _same(expected: dict[str, torch.Tensor] | None, found: dict[str, torch.Tensor]) -> bool:
    assert expected is not None, "the run that nobody killed has no student"
    return expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in expected)


def account(kills: int = KILLS, in_writes: int = IN_WRITES) -> Account:
    """The campaign, in figures."""
    found = campaign(kills, in_writes)
    figures = {
        "trials": found.trials,
        "jobs": found.jobs,
        "kills": found.killed,
        "kills by role": found.by_role,
        "kills by role and phase": found.kills,
        "kills inside a write": found.killed_in_writes,
        "kills inside a write by role and file": found.in_writes,
        "runs lost": len(found.lost),
        "wrong final weights": len(found.wrong_weights),
        "jobs run twice": len(found.run_twice),
        "files half-made": len(found.half_made),
        "tracebacks": len(found.tracebacks),
    }
    return Account(figures, tuple(found.wrong))


if __name__ == "__main__":
    ended = account(*map(int, sys.argv[1:]))
    print(*ended.lines(), sep="\n")
    sys.exit(bool(ended.wrong))
