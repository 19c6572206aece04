"""Features: a map of the task's images."""
