"""Add teacher: a user's own teachers."""
