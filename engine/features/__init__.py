"""Features and pseudo-labels: one pass of a teacher over a task's images, cached in shards."""

from engine.features.extraction import ExtractionShare, extract
from engine.features.precomputed import add_outputs, describes, request_outputs
from engine.features.store import FeatureStore

__all__ = ["ExtractionShare", "FeatureStore", "add_outputs", "describes", "extract", "request_outputs"]
