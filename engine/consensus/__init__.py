"""What all teachers together say of every image, in the task's own classes. Knows arrays only."""

from engine.consensus.doubts import doubts
from engine.consensus.ensemble import Ensemble, consensus

__all__ = ["Ensemble", "consensus", "doubts"]
