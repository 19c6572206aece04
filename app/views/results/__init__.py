"""Results: the students side by side, and the one to take away."""
