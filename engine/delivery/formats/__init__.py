"""The export formats: one file each, and its line below."""

from engine.delivery.format import Format
from engine.delivery.formats import onnx, onnx_int8, openvino, running_folder, safetensors, timm_folder

FORMATS: dict[str, Format] = {
    one.key: one
    for one in (
        safetensors.FORMAT,
        onnx.FORMAT,
        onnx_int8.FORMAT,
        timm_folder.FORMAT,
        running_folder.FORMAT,
        openvino.FORMAT,
    )
}
DEFAULT = safetensors.FORMAT.key
