"""A property that is computed once for each object, also when several threads ask for it at the same time."""

from __future__ import annotations

from functools import cached_property
from threading import RLock
from typing import Any, TypeVar, overload

T = TypeVar("T")


class once(cached_property[T]):  # noqa: N801  # used as a decorator, and named like the one it refines
    """`functools.cached_property` with a lock for each object.

    Before Python 3.12 the library's own has one lock for all objects of a class, so that threads which work on
    different objects wait for each other; since 3.12 it has none, so that two threads do the same work twice.

    >>> class Square:
    ...     @once
    ...     def area(self):
    ...         return 4
    >>> Square().area
    4
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> once[T]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> once[T] | T:
        """The value, computed by the first who asks; others wait for it."""
        if instance is None:
            return self
        assert self.attrname is not None
        kept = vars(instance)
        if self.attrname not in kept:  # setdefault is atomic: one lock for each object and name
            with kept.setdefault(f"{self.attrname} is computed", RLock()):
                if self.attrname not in kept:
                    kept[self.attrname] = self.func(instance)
        value: T = kept[self.attrname]
        return value
