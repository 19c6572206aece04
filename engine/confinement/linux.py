"""Calls of the Linux kernel that Python has no function for, through the C library."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from functools import cache

X86_64, AARCH64 = "x86_64", "aarch64"
_SET_PARENT_DEATH_SIGNAL, _SET_KEEP_CAPABILITIES, _SET_NO_NEW_PRIVILEGES = 1, 8, 38  # linux/prctl.h
_CAPABILITY_VERSION = 0x20080522  # linux/capability.h, version 3: two words of 32 capabilities
CAN_READ_ANY_FILE = 1 << 2  # CAP_DAC_READ_SEARCH


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def machine() -> str | None:
    """X86_64 or AARCH64, where this is a 64-bit process of that kind; None elsewhere."""
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8 or sys.byteorder != "little":
        return None
    return {"x86_64": X86_64, "amd64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}.get(platform.machine().lower())


def call(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """What a system call returns. Raises OSError."""
    found = _library().syscall(ctypes.c_long(number), *map(_word, arguments))
    return _checked(found)


def _word(argument: int | ctypes.Array[ctypes.c_char] | None) -> ctypes.c_long | ctypes.c_void_p:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return ctypes.c_void_p(None if argument is None else ctypes.addressof(argument))


def _checked(found: int) -> int:
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


def _prctl(option: int, value: int) -> None:
    _checked(_library().prctl(ctypes.c_int(option), *(ctypes.c_ulong(word) for word in (value, 0, 0, 0))))


def die_with_parent(signal_number: int) -> None:
    """Let the kernel send this process a signal when the thread that started it ends. Raises OSError.

    A change of the user takes this back (prctl(2)).
    """
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal_number)


def gain_no_privileges() -> None:
    """No program that this process runs can give it more rights than it has, set-user-ID or not. Raises OSError."""
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)


def keep_capabilities() -> None:
    """Do not let the next change of the user take all capabilities away. Raises OSError."""
    _prctl(_SET_KEEP_CAPABILITIES, 1)


def keep_only(capabilities: int) -> None:
    """Give up all capabilities but those in this set of bits. Raises OSError."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)(capabilities, capabilities, 0, 0, 0, 0)  # effective, permitted, inheritable; twice
    _checked(_library().capset(header, data))
