"""Which device computes: a card ("cuda", of several "cuda:0", "cuda:1", ...), mps or cpu, and how it is set up."""

from engine.devices.device import (
    available,
    count,
    describe,
    is_here,
    kind,
    label,
    resolve,
    set_up,
)
from engine.devices.listing import cards, environment_of, node_environment, place_among_workers

__all__ = [
    "available",
    "cards",
    "count",
    "describe",
    "environment_of",
    "is_here",
    "kind",
    "label",
    "node_environment",
    "place_among_workers",
    "resolve",
    "set_up",
]
