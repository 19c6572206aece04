"""What all teachers together say of every image, in the task's own classes. Knows arrays only."""

from engine.consensus.cross_validation import cross_validated
from engine.consensus.doubts import doubts
from engine.consensus.ensemble import Ensemble, Graphs, consensus

__all__ = ["Ensemble", "Graphs", "consensus", "cross_validated", "doubts"]
