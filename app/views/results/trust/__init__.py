"""Results, Trust: how far a student's probabilities can be believed, and what follows from that for its use."""

from app.views.results.trust.section import render

__all__ = ["render"]
