"""Distill: choose what to compare, start it, watch it."""
