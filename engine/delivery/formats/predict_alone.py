"""Classes of images: python predict.py IMAGE... Needs onnxruntime, numpy and Pillow, and nothing else."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def prepared(file, about):
    """An image file as the student sees it: uint8 [S, S, 3]; upright, over white, more than 8 bits scaled to 8."""
    size, rule, intensity = int(about["input_size"]), about["resize"], json.loads(about["intensity"])
    image = ImageOps.exif_transpose(Image.open(file))
    if image.mode[0] in "IF":  # one channel of more than 8 bits
        values = np.asarray(image, dtype=np.float64)
        percentiles = intensity["percentiles"] or (0, 100)
        low, high = intensity["value_range"] or np.percentile(values, percentiles, method="nearest")
        image = Image.fromarray((np.clip((values - low) / ((high - low) or 1), 0, 1) * 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("RGB")
    if rule != "squash":
        side = (min if rule == "crop" else max)(image.size)
        square = Image.new("RGB", (side, side), "white")
        square.paste(image, (int((side - image.width) / 2), int((side - image.height) / 2)))  # below 0 where it is cut
        image = square
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def calibrated(probabilities, about):
    """Probabilities at the temperature that was fitted on held-out images; 1 where none was, which changes nothing."""
    scores = np.log(np.maximum(probabilities, 2.0**-24)) / float(about["temperature"])
    shares = np.exp(scores - scores.max())
    return shares / shares.sum()


if __name__ == "__main__":
    session = onnxruntime.InferenceSession(Path(__file__).with_name("student.onnx"), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    for name in sys.argv[1:]:
        own = session.run(["probabilities"], {"image": prepared(name, about)[None]})[0][0]
        probabilities = calibrated(own, about)
        print(name, json.loads(about["classes"])[probabilities.argmax()], f"{probabilities.max():.4f}", sep="\t")
