"""Sources that are parsed in the test's own process: starting one for each takes half a second.

`test_discovery.py` and `tests/hostile` have each source parsed in a process of its own, as the program does.
"""

import importlib
import json
from unittest import mock

from engine.confinement import process


class InThisProcess:
    """In place of a `Confined`: the same functions, whose requests and answers are written and read as between two."""

    def __init__(self, function, *, memory, seconds, reads=()):
        self.seconds, self._function, self._does = seconds, function, {}

    def ask(self, header, content=b""):
        if not self._does:
            module, _, name = self._function.partition(":")
            found = importlib.import_module(module)
            with mock.patch.object(found, "serve", lambda does, load: self._does.update(does)):
                getattr(found, name)()
        answer, payload = process._answered(self._does, json.loads(json.dumps(header)), content)
        return process._without_error(json.loads(json.dumps(answer)), payload)

    def is_running(self):
        return bool(self._does)

    def close(self):
        self._does.clear()
