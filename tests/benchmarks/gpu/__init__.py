"""What a card is used for, in one run: `python -m tests.benchmarks.gpu [--cpu] [--json]`. docs/gpu.md says more."""
