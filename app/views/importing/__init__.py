"""Import: one's own images become a task."""
