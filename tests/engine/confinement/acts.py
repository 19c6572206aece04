"""What a confined process runs that tries each act that bytes in control of their parser could want to do."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.confinement import linux, serve
from engine.confinement.lockdown import LAYERS

PTRACE, UNSHARE = (117, 97) if linux.machine() == linux.AARCH64 else (101, 272)  # numbers of system calls
if sys.platform != "win32":
    import fcntl
    import resource

ACTS = {}  # name: (the promise it belongs to, what tries it)


def act(promise):
    def keep(function):
        ACTS[function.__name__] = (promise, function)
        return function

    return keep


@act("read")
def reads_the_users_of_the_system(given):
    Path("/etc/passwd").read_bytes()


@act("read")
def reads_a_file_of_the_workspace(given):
    os.read(os.open(given["file"], os.O_RDONLY), 1)


@act("read")
def lists_a_folder(given):
    os.listdir(given["folder"])


@act("read")
def reads_the_environment_of_its_parent(given):
    Path(f"/proc/{os.getppid()}/environ").read_bytes()


@act("write")
def makes_a_file(given):
    os.open(f"{given['folder']}/made", os.O_WRONLY | os.O_CREAT, 0o600)


@act("write")
def appends_to_a_file(given):
    os.open(given["file"], os.O_WRONLY | os.O_APPEND)


@act("write")
def empties_a_file(given):
    os.truncate(given["file"], 0)


@act("write")
def empties_a_file_by_opening_it(given):
    os.open(given["file"], os.O_RDONLY | os.O_TRUNC)


@act("remove")
def renames_a_file(given):
    os.rename(f"{given['folder']}/first", f"{given['folder']}/renamed")


@act("remove")
def removes_a_file(given):
    os.unlink(f"{given['folder']}/second")


@act("remove")
def removes_a_folder(given):
    os.rmdir(f"{given['folder']}/empty")


@act("remove")
def makes_a_folder(given):
    os.mkdir(f"{given['folder']}/new")


@act("remove")
def makes_a_link(given):
    os.symlink("/etc", f"{given['folder']}/link")


@act("connect")
def connects_by_tcp(given):
    socket.socket().connect(("127.0.0.1", given["port"]))


@act("connect")
def listens_by_tcp(given):
    socket.create_server(("127.0.0.1", 0))


@act("connect")
def sends_by_udp(given):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))


@act("connect")
def connects_to_a_unix_socket(given):
    socket.socket(socket.AF_UNIX).connect(given["unix"])


@act("connect")
def connects_to_an_abstract_socket(given):
    socket.socket(socket.AF_UNIX).connect("\0" + given["abstract"])


@act("start")
def forks(given):
    if os.fork() == 0:
        os._exit(0)
    os.wait()


@act("start")
def starts_a_program(given):
    subprocess.run([sys.executable, "-c", ""], check=True)


@act("start")
def spawns_a_program(given):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


@act("signal")
def asks_for_a_signal(given):
    os.kill(given["victim"], 0)


@act("signal")
def ends_another_process(given):
    os.kill(given["victim"], signal.SIGTERM)


MORE = {  # what would harm whoever tries it, or depends on the system; seccomp denies all of it
    "becomes_another_program": lambda given: os.execv("/bin/true", ["true"]),
    "traces_another_process": lambda given: linux.call(PTRACE, 16, given["victim"], 0, 0),
    "sends_signals_through_a_descriptor": lambda given: fcntl.fcntl(0, fcntl.F_SETOWN, given["victim"]),
    "outlives_its_parent": lambda given: linux.die_with_parent(0),
    "changes_modes": lambda given: os.chmod(given["file"], 0o777),
    "changes_times": lambda given: os.utime(given["file"]),
    "makes_another_name": lambda given: os.link(given["file"], f"{given['folder']}/another"),
    "reads_memory_of_its_parent": lambda given: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
    "limits_another_process": lambda given: resource.prlimit(given["victim"], resource.RLIMIT_CPU, (1, 1)),
    "makes_a_namespace": lambda given: linux.call(UNSHARE, 0x10000000),
    "opens_a_ring": lambda given: linux.call(425, 1, None),
    "calls_as_of_another_set": lambda given: linux.call(0x40000000 + 39),
}  # fmt: skip


def attempt(function, given):
    """ "done", or the name of the error."""
    try:
        function(given)
    except Exception as error:  # the confined process has to answer, whatever the system says
        return type(error).__name__
    return "done"


def try_acts(header, content):
    given = header["given"]
    found = {name: attempt(function, given) for name, (_, function) in ACTS.items()}
    if header["more"]:
        found |= {name: attempt(function, given) for name, function in MORE.items()}
    return {"tried": found, "environment": dict(os.environ), "user": getattr(os, "getuid", lambda: 0)()}, b""


def try_threads(header, content):
    with ThreadPoolExecutor(2) as pool:
        return {"sum": sum(pool.map(abs, range(-3, 3)))}, b""


def fill_memory(header, content):
    return {"got": len(bytearray(header["bytes"]))}, b""


def work_for_ever(header, content):
    while True:
        time.monotonic()


def read_file(header, content):
    return {}, Path(header["path"]).read_bytes()


def crash(header, content):
    ctypes.string_at(0)
    return {}, b""


DOES = {
    "acts": try_acts,
    "threads": try_threads,
    "fill": fill_memory,
    "spin": work_for_ever,
    "read": read_file,
    "crash": crash,
}


def all_layers():
    serve(DOES, lambda: None)


def seccomp_alone():
    serve(DOES, lambda: None, ["seccomp"])


def landlock_alone():
    serve(DOES, lambda: None, ["landlock"])


def own_user_alone():
    serve(DOES, lambda: None, ["own user"])


def descriptors_alone():
    serve(DOES, lambda: None, ["no descriptors"])


def no_layer():
    serve(DOES, lambda: None, [])


assert set(LAYERS) == {"seccomp", "landlock", "own user", "no descriptors"}
