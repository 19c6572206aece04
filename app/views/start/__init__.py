"""Start: what this is, and the tasks to choose from."""
