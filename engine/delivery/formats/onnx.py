"""ONNX: one file with normalization and softmax inside, for any runtime of ONNX."""

from __future__ import annotations

from engine.delivery.format import Format
from engine.delivery.onnx_graph import load_graph, write_graph
from engine.delivery.parity import same_answers

FORMAT = Format("onnx", "ONNX", write_graph, load_graph, same_answers)
