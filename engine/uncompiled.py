"""PyTorch without its compiler and Arrow without pandas, which nothing here calls.

Loading `torch._dynamo` and the algebra system it rests on takes a second of the processor and 140 MB, in every worker.
torchvision loads it to ask whether a device can compile, and an optimizer loads it to say which of its functions must
not be compiled as one. These answers are known without it; whoever asks for anything else gets the real one. Arrow
loads pandas, half a second and 40 MB, to ask whether a list is a column of it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"


class Deferred(ModuleType):
    """Stands for a package until somebody asks it for something that `known` does not answer."""

    def __init__(self, name: str, package: str, known: Mapping[str, Any]) -> None:
        super().__init__(name)
        self.__dict__.update(known)
        self._package = package

    def __getattr__(self, name: str) -> Any:
        searching = name == "__path__" and self.__name__ == self._package  # for a module that has no stand-in
        if name.startswith("__") and not searching:  # who looks through all modules wants nothing of this one
            raise AttributeError(name)
        load(self._package)
        return getattr(importlib.import_module(self.__name__), name)


def defer(package: str, known: Mapping[str, Mapping[str, Any]]) -> None:
    """Put a stand-in in the place of `package` and of its modules, unless one is loaded; the real one comes when asked
    for. known: by the name of a module within ("" is the package itself), what its stand-in answers.
    """
    if package not in sys.modules:
        for name, answers in known.items():
            full = f"{package}.{name}" if name else package
            sys.modules[full] = Deferred(full, package, answers)


def load(package: str) -> None:
    """Load the real `package` in the place of its stand-ins."""
    for name in [name for name, module in sys.modules.items() if isinstance(module, Deferred)]:
        if name == package or name.startswith(f"{package}."):
            del sys.modules[name]
    importlib.import_module(package)


def defer_compiler() -> None:
    """Let PyTorch and torchvision work without their compiler until it is called for. Call it before they load."""
    known = {"disable": _as_it_is, "graph_break": lambda: None}
    defer(COMPILER, {"": known, "utils": {"is_compile_supported": lambda device: False}})


def hide_pandas() -> None:
    """Let Arrow take it that there is no pandas: it looks once, for the first list that it is given, and remembers what
    it found. Everybody else finds pandas as before.
    """
    if "pandas" not in sys.modules:
        with _hidden("pandas"):
            importlib.import_module("pyarrow").array([0])


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Let nobody find a package for a while."""

    class Nowhere(MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == package:
                raise ModuleNotFoundError(f"{name} is hidden", name=name)

    finder = Nowhere()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _as_it_is(function: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:
    """What keeps a function from being compiled, where nothing is."""
    return _as_it_is if function is None else function
