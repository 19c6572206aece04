"""What all teachers together say of every image, in the task's own classes. Knows arrays only."""

from engine.consensus.ensemble import Ensemble, consensus, sharpen
from engine.consensus.graph import EDGE_POWER, EXACT_BELOW, ConsensusProgress, joint_features

__all__ = ["EDGE_POWER", "EXACT_BELOW", "ConsensusProgress", "Ensemble", "consensus", "joint_features", "sharpen"]
