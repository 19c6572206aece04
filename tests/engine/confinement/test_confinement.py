"""What a process that reads a user's bytes can no longer do: each act is tried from inside of one."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import cli
from engine.cli import serve
from engine.confinement import Confined, DiedError, TookTooLongError, landlock, libraries, seccomp
from engine.confinement import process as process_module
from engine.confinement.linux import AARCH64, X86_64, machine
from engine.confinement.lockdown import ACTS as PROMISES
from engine.confinement.lockdown import Protections
from engine.errors import DamagedFileError
from engine.jobs.processes import start_mark
from tests.engine.confinement import acts

HERE = "tests.engine.confinement.acts"
KINDS = ("all_layers", "seccomp_alone", "landlock_alone", "own_user_alone", "descriptors_alone", "no_layer")
WITH_SECCOMP = ("all_layers", "seccomp_alone")
REFUSED = ("PermissionError", "OSError", "BlockingIOError")  # EPERM and EACCES; others, such as too many descriptors
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="no other system has these layers")


def confined(kind="all_layers", **limits):
    return Confined(f"{HERE}:{kind}", **{"memory": 2e9, "seconds": 60, **limits})


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """{kind: (protections, answer)} of processes with some of the layers, each of which tried every act."""
    os.environ["WORKBENCH_TEST_SECRET"], os.environ["OPENBLAS_CORETYPE"] = "hidden", "Haswell"
    try:
        return {kind: _try(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}
    finally:
        del os.environ["WORKBENCH_TEST_SECRET"], os.environ["OPENBLAS_CORETYPE"]


def _try(kind, folder):
    for name in ("file", "first", "second"):
        (folder / name).write_bytes(b"of somebody else")
    (folder / "empty").mkdir()
    given = {"file": str(folder / "file"), "folder": str(folder), "unix": str(folder / "socket")}
    given["abstract"] = f"workbench-{os.getpid()}-{kind}"
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = confined(kind)
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as hidden,
    ):
        unix.bind(given["unix"])
        hidden.bind("\0" + given["abstract"])
        unix.listen()
        hidden.listen()
        given |= {"port": tcp.getsockname()[1], "victim": victim.pid}
        try:
            answer, _ = process.ask({"do": "acts", "name": kind, "given": given, "more": kind in WITH_SECCOMP})
        finally:
            process.close()
            victim.kill()
            victim.communicate()
    return process.protections, answer


@linux_only
@pytest.mark.parametrize("name", acts.ACTS)
def test_without_layers_each_act_is_possible(tried, name):
    """So that the refusals below are those of the layers."""
    held, answer = tried["no_layer"]
    assert held.denied() == ()
    assert answer["tried"][name] == "done"


@linux_only
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "no_layer"])
@pytest.mark.parametrize("name", acts.ACTS)
def test_layers_deny_what_they_promise(tried, kind, name):
    held, answer = tried[kind]
    promise, _ = acts.ACTS[name]
    if promise in held.denied():
        assert answer["tried"][name] in REFUSED


@linux_only
@pytest.mark.parametrize("name", acts.MORE)
@pytest.mark.parametrize("kind", WITH_SECCOMP)
def test_seccomp_denies_what_else_there_is(tried, kind, name):
    held, answer = tried[kind]
    assert not held.seccomp or answer["tried"][name] in REFUSED


@linux_only
def test_the_layers_that_the_system_has_are_in_force(tried):
    held, answer = tried["all_layers"]
    assert held.landlock == landlock.version()
    assert held.seccomp == (machine() is not None)
    assert held.own_user == (os.geteuid() == 0) == (answer["user"] == 65_534 != os.geteuid())
    assert held.opens_nothing
    assert held.dies_with_parent
    assert held.memory
    assert set(held.denied()) >= {"read", "connect"}  # whatever the kernel is
    assert not held.seccomp or held.denied() == tuple(PROMISES)


def test_the_environment_is_a_named_list(tried):
    _, answer = tried["all_layers"]
    assert answer["environment"]["OPENBLAS_CORETYPE"] == "Haswell"
    assert answer["environment"]["OMP_NUM_THREADS"] == "1"
    named = {*process_module.PASSED_ON, *process_module.SET, process_module.USER_PACKAGES}
    assert [n for n in answer["environment"] if n not in named and not n.startswith("LC_")] == []


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A process that may read one folder, and that folder."""
    folder = tmp_path_factory.mktemp("readable")
    (folder / "inside").mkdir()
    (folder / "inside" / "file").write_bytes(b"to be read")
    process = confined(seconds=0.5, reads=[folder / "inside", folder / "missing"], memory=1.5e9)
    yield process, folder
    process.close()


def test_what_a_process_is_given_it_may_read_and_nothing_else(reader):
    process, folder = reader
    (folder / "beside").write_bytes(b"x")
    (folder / "inside" / "link").symlink_to(folder / "beside")
    path = folder / "inside" / "file"
    assert process.ask({"do": "read", "name": "x", "path": str(path)})[1] == b"to be read"
    if process.protections.landlock:
        for other in (folder / "beside", folder / "inside" / "link", folder / "inside" / ".." / "beside"):
            with pytest.raises(DamagedFileError, match="PermissionError"):
                process.ask({"do": "read", "name": "x", "path": str(other)})
        assert "read" in process.protections.denied()


@linux_only
def test_a_process_that_reads_files_writes_none(reader):
    process, folder = reader
    written = ("makes_a_file", "appends_to_a_file", "empties_a_file", "empties_a_file_by_opening_it", "removes_a_file")
    given = {"folder": str(folder / "inside"), "file": str(folder / "inside" / "file")}
    (folder / "inside" / "second").write_bytes(b"x")
    answer, _ = process.ask({"do": "acts", "name": "x", "given": given, "more": False})
    if process.protections.seccomp or process.protections.landlock >= landlock.TRUNCATE_SINCE:
        assert {answer["tried"][name] for name in written} == {"PermissionError"}
        assert (folder / "inside" / "file").read_bytes() == b"to be read"


def test_libraries_that_are_loaded_late_are_those_in_use_and_hold_no_secrets():
    places = libraries()
    for used in (pytest, json):
        assert any(place in Path(used.__file__).parents for place in places)
    assert process_module.FOLDER not in places
    assert not any(place in (process_module.FOLDER / ".streamlit").parents for place in places)


def test_threads_are_left(reader):
    assert reader[0].ask({"do": "threads", "name": "x"})[0] == {"sum": 9}


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of memory there")
def test_memory_is_limited(reader):
    with pytest.raises(DamagedFileError, match=r"x needs more memory than is allowed"):
        reader[0].ask({"do": "fill", "name": "x", "bytes": 2_000_000_000})
    assert reader[0].ask({"do": "fill", "name": "x", "bytes": 1000})[0] == {"got": 1000}


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_a_process_that_hears_nothing_is_given_up(reader):
    process, _ = reader
    os.kill(process.start().pid, signal.SIGSTOP)
    with pytest.raises(TookTooLongError):
        process.ask({"do": "fill", "name": "x", "bytes": 1}, bytes(1_000_000))  # more than a pipe holds
    assert not process.is_running()


def test_time_is_limited_and_a_crash_is_known(reader):
    with pytest.raises(TookTooLongError):
        reader[0].ask({"do": "spin", "name": "x"})
    with pytest.raises(DiedError):
        reader[0].ask({"do": "crash", "name": "x"})


@linux_only
def test_a_busy_process_ends_with_its_parent(tmp_path):
    code = (
        "from engine.confinement import Confined\n"
        f"process = Confined({HERE + ':all_layers'!r}, memory=2e9, seconds=60)\n"
        "print(process.start().pid, flush=True)\n"
        "process.ask({'do': 'spin', 'name': 'x'})"
    )
    root = str(process_module.FOLDER)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    ends = time.monotonic() + 60
    while start_mark(child) is not None and time.monotonic() < ends:
        time.sleep(0.02)
    assert start_mark(child) is None


@pytest.mark.parametrize("kernel", range(1, 8))
def test_older_kernels_are_asked_for_what_they_know(monkeypatch, kernel):
    """Rights of files, of TCP and scopes, by the version of Landlock (landlock(7), "Landlock ABI versions")."""
    asked = []
    monkeypatch.setattr(landlock.linux, "call", lambda number, *rest: asked.append((number, rest)) or kernel)
    monkeypatch.setattr(landlock.os, "close", lambda descriptor: None)
    assert landlock.restrict([]) == kernel
    content = bytes(asked[1][1][0])
    rights = [int.from_bytes(content[start : start + 8], "little") for start in range(0, len(content), 8)]
    files = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(kernel, 16)) - 1
    assert rights == [files, *([3] if kernel >= 4 else []), *([3] if kernel >= 6 else [])]


@pytest.mark.parametrize("kind", [X86_64, AARCH64])
@pytest.mark.parametrize("reads_files", [False, True])
def test_the_filter_is_well_formed(kind, reads_files):
    """Jumps go forwards and end within the program, as the kernel checks on the machines at hand alone."""
    program = list(seccomp.program(kind, reads_files=reads_files))
    assert len(program) <= 4096
    for place, (code, if_true, if_false, _) in enumerate(struct.unpack("<HBBI", one) for one in program):
        if code in (0x15, 0x35):
            assert place + 1 + max(if_true, if_false) < len(program)
    assert struct.unpack("<HBBI", program[-1])[0] == 0x06


def test_what_is_in_force_is_said_in_a_sentence():
    whole = Protections(7, True, True, True, True, True).sentence("decode")
    assert whole.startswith("Processes that decode cannot read other files, write or shorten files, ")
    assert "does not keep" not in whole
    some = Protections(opens_nothing=True, memory=True).sentence("decode")
    assert some.endswith(
        "does not keep them from these: write or shorten files, rename or remove files, start programs "
        "and signal or trace other processes."
    )
    assert Protections().sentence("parse").startswith("Processes that parse are confined by nothing. This system")


@linux_only
def test_the_command_says_what_is_in_force(capsys):
    assert cli.main(["confinement", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["decode images"]["seccomp"] == found["parse archives and tables"]["seccomp"] == (machine() is not None)
    assert "read" in found["decode images"]["denied"]
    assert ("read" in found["parse archives and tables"]["denied"]) == bool(landlock.version())


def test_serve_says_it_before_the_server_starts(monkeypatch, capsys, home):
    said = []

    def start(*command):
        said.append(capsys.readouterr().err)
        raise SystemExit

    monkeypatch.setattr("engine.confinement.protections", lambda: {"decode images": Protections(seccomp=True)})
    monkeypatch.setenv("WORKBENCH_HOSTS", "")
    monkeypatch.setattr(serve.os, "chdir", lambda folder: None)
    monkeypatch.setattr(serve.os, "execv", start)
    monkeypatch.setattr(serve.subprocess, "call", start)
    with pytest.raises(SystemExit):
        cli.main(["serve", "--port", "0"])
    assert said[0].startswith("Processes that decode images cannot write or shorten files")
