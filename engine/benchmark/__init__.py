"""Targets × methods × seeds -> one table: what each method gains over a reference, over all targets."""

from engine.benchmark.table import Cell, Gain, Table, as_document, tabulate

__all__ = ["Cell", "Gain", "Table", "as_document", "tabulate"]
