"""The export formats: one file each, and its line below."""

from engine.delivery.format import Format
from engine.delivery.formats import onnx, safetensors

FORMATS: dict[str, Format] = {one.key: one for one in (safetensors.FORMAT, onnx.FORMAT)}
DEFAULT = safetensors.FORMAT.key
