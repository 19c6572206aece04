"""Teachers: ranked by similarity to the task, and their weights."""
