"""Learn: seven lessons, computed from a task."""
