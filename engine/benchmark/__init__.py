"""Targets × methods × seeds -> one table: what each method gains over a reference, over all targets."""

from engine.benchmark.gains import Cell, Gain, GainTable, as_document, tabulate

__all__ = ["Cell", "Gain", "GainTable", "as_document", "tabulate"]
