"""Finds the pretrained networks that fit a task, and distills them into one small student."""
