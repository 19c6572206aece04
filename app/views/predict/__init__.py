"""Predict: a finished student at work on new images."""
