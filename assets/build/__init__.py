"""The scripts that made everything under `assets/`: the bundled tasks, the teachers, and where both came from."""
