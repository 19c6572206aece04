"""Targets × methods × seeds -> one table: what each method gains over a reference, over all targets."""

from engine.benchmark.gains import as_document, tabulate

__all__ = ["as_document", "tabulate"]
