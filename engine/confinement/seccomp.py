"""A seccomp filter that leaves a process its memory, its threads, its clock and its open descriptors (seccomp(2)).

Everything else is refused: sockets, programs, processes, signals to others, tracing, every change of a file, and calls
that a later kernel may add. Reading files by name is left where it is asked for. The filter is a program of the
kernel's packet filter (linux/filter.h, linux/seccomp.h), and needs Linux 3.17 or newer, on x86-64 or ARM64.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.confinement import linux

_ARCHITECTURE = {linux.X86_64: 0xC000003E, linux.AARCH64: 0xC00000B7}  # linux/audit.h
_SECCOMP = {linux.X86_64: 317, linux.AARCH64: 277}
_SET_FILTER, _ALL_THREADS, _KEEP_SPEED = 1, 1, 4  # the last: no slower memory access for programs that have a filter
_X32 = 0x40000000  # how the numbers of another set of calls begin, on x86-64
_NEW_CALLS = 424  # from here on numbers are the same everywhere; a C library does without what does not exist yet

# Numbers on x86-64 and ARM64 (asm/unistd_64.h, asm-generic/unistd.h); None where there is no such call.
_ALWAYS = {
    "read": (0, 63),
    "write": (1, 64),
    "futex": (202, 98),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "madvise": (28, 233),
    "brk": (12, 214),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "mincore": (27, 232),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "close": (3, 57),
    "readv": (19, 65),
    "pread64": (17, 67),
    "writev": (20, 66),
    "futex_waitv": (449, 449),
    "set_robust_list": (273, 99),
    "get_robust_list": (274, 100),
    "rseq": (334, 293),
    "set_tid_address": (218, 96),
    "membarrier": (324, 283),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136),
    "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "getcpu": (309, 168),
    "get_mempolicy": (239, 236),
    "getrandom": (318, 278),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "alarm": (37, None),
    "setitimer": (38, 103),
    "getitimer": (36, 102),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "uname": (63, 160),
    "arch_prctl": (158, None),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
_READING_FILES = {
    "stat": (4, None),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents": (78, None),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "fadvise64": (221, 223),
    "readahead": (187, 213),
}


class _Condition(NamedTuple):
    """What half of an argument must be for a call to be left: `half & mask` is one of `values`."""

    half: int  # 0 and 1 are the lower and the upper half of the first argument, 2 and 3 those of the second, ...
    mask: int
    values: tuple[int, ...]


_WHOLE = 0xFFFFFFFF
_A_THREAD = [_Condition(0, 0x10000, (0x10000,))]  # CLONE_THREAD: a thread, and no process
_HARMLESS = [_Condition(2, _WHOLE, (0, 1, 2, 3, 1030))]  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC
_NO_NEW_LIMIT = [_Condition(4, _WHOLE, (0,)), _Condition(5, _WHOLE, (0,))]  # an address of nothing: it asks only
_WRITING = 0o3 | 0o100 | 0o1000 | 0o20000000  # O_ACCMODE, O_CREAT, O_TRUNC, O_TMPFILE
_IF = {"clone": ((56, 220), _A_THREAD), "fcntl": ((72, 25), _HARMLESS), "prlimit64": ((302, 261), _NO_NEW_LIMIT)}
_IF_READING_FILES = {
    "openat": ((257, 56), [_Condition(4, _WRITING, (0,))]),
    "open": ((2, None), [_Condition(2, _WRITING, (0,))]),
}
_IOCTL = (16, 29)  # answered as by what is no terminal, which is how Python asks


def restrict(*, reads_files: bool) -> bool:
    """Put the filter over all threads of this process, for good; whether there is one for this machine.

    `reads_files`: whether files may be opened for reading by name. The process must have given up new privileges.
    Raises OSError if the kernel refuses.
    """
    machine = linux.machine()
    if machine is None:
        return False
    code = b"".join(program(machine, reads_files=reads_files))
    kept = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("@HP", len(code) // 8, ctypes.addressof(kept))  # struct sock_fprog
    wanted = ctypes.create_string_buffer(head, len(head))
    try:
        return linux.call(_SECCOMP[machine], _SET_FILTER, _ALL_THREADS | _KEEP_SPEED, wanted) == 0
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return linux.call(_SECCOMP[machine], _SET_FILTER, _ALL_THREADS, wanted) == 0  # before Linux 4.17


# Offsets in what a filter sees of a call (struct seccomp_data): its number, the architecture, six arguments.
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # instructions with one constant
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def program(machine: str, *, reads_files: bool) -> Iterable[bytes]:
    """The filter for a kind of machine, instruction by instruction."""
    column = (linux.X86_64, linux.AARCH64).index(machine)
    yield _do(_LOAD, _MACHINE)
    yield _do(_EQUAL, _ARCHITECTURE[machine], 1, 0)
    yield _do(_RETURN, _KILL)
    yield _do(_LOAD, _NUMBER)
    if machine == linux.X86_64:
        yield from _when(_AT_LEAST, _X32, [_fail(errno.EPERM)])
    for numbers in (*_ALWAYS.values(), *(_READING_FILES.values() if reads_files else ())):
        if (number := numbers[column]) is not None:
            yield from _when(_EQUAL, number, [_do(_RETURN, _ALLOW)])
    for numbers, conditions in (*_IF.values(), *(_IF_READING_FILES.values() if reads_files else ())):
        if (number := numbers[column]) is not None:
            yield from _when(_EQUAL, number, list(_if(conditions)))
    yield from _when(_EQUAL, _IOCTL[column], [_fail(errno.ENOTTY)])
    yield from _when(_AT_LEAST, _NEW_CALLS, [_fail(errno.ENOSYS)])
    yield _fail(errno.EPERM)


def _if(conditions: Sequence[_Condition]) -> Iterable[bytes]:
    """Allow where all conditions hold, and refuse elsewhere."""
    for condition in conditions:
        yield _do(_LOAD, _ARGUMENTS + 4 * condition.half)
        yield _do(_AND, condition.mask)
        left = len(condition.values)  # instructions up to the refusal, which a value that fits jumps over
        yield from (_do(_EQUAL, value, left - place, 0) for place, value in enumerate(condition.values))
        yield _fail(errno.EPERM)
    yield _do(_RETURN, _ALLOW)


def _when(test: int, value: int, then: Sequence[bytes]) -> Iterable[bytes]:
    yield _do(test, value, 0, len(then))
    yield from then


def _fail(number: int) -> bytes:
    return _do(_RETURN, _FAIL | number)


def _do(code: int, constant: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, constant)  # struct sock_filter
