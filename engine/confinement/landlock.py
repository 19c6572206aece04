"""Landlock: a process gives up its right to files, and to TCP, but for what it names (landlock(7), linux/landlock.h).

It needs Linux 5.13 or newer, no privileges, and binds the thread that asks and all that it starts. What a kernel does
not know yet is left out, so an old one denies less.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress

from engine.confinement import linux

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture but alpha
_VERSION = 1  # a flag of the first: tell the version alone
_PATH_BENEATH = 1  # a kind of rule
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = (13, 14, 15, 15, 16)  # how many there are in versions 1 to 5: +refer, +truncate, +ioctl of devices
_NETWORK_RIGHTS = 0b11  # from version 4: bind and connect by TCP
_SCOPES = 0b11  # from version 6: abstract UNIX sockets and signals reach no process outside
TRUNCATE_SINCE, NETWORK_SINCE, SCOPES_SINCE = 3, 4, 6


def version() -> int:
    """The version of Landlock (its ABI) that this kernel has in force; 0 for none."""
    try:
        return linux.call(_CREATE_RULESET, None, 0, _VERSION)
    except (OSError, AttributeError):  # an old kernel, one started without it, or a container that forbids the call
        return 0


def restrict(readable: Iterable[str]) -> int:
    """Deny this thread all files but reading those named (a folder: what is in it), and TCP; the version in force.

    A name that is not there, or cannot be reached, is left out. Raises OSError if the kernel has Landlock and refuses.
    """
    found = version()
    if not found:
        return 0
    rules = _ruleset(found)
    try:
        for path in readable:
            with suppress(OSError):
                _allow(rules, path)
        linux.call(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)
    return found


def _ruleset(found: int) -> int:
    files = (1 << _FILE_RIGHTS[min(found, len(_FILE_RIGHTS)) - 1]) - 1
    network = _NETWORK_RIGHTS if found >= NETWORK_SINCE else 0
    scopes = _SCOPES if found >= SCOPES_SINCE else 0
    fields = struct.pack("<QQQ", files, network, scopes)
    known = 8 if found < NETWORK_SINCE else 16 if found < SCOPES_SINCE else 24  # bytes that the kernel expects
    return linux.call(_CREATE_RULESET, ctypes.create_string_buffer(fields[:known], known), known, 0)


def _allow(rules: int, path: str) -> None:
    target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = struct.pack("<Qi", rights, target)
        linux.call(_ADD_RULE, rules, _PATH_BENEATH, ctypes.create_string_buffer(rule, len(rule)), 0)
    finally:
        os.close(target)
