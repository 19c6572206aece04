"""Finds the pretrained networks that fit a task, and distills them into one small student."""

__version__ = "0.2.0"
