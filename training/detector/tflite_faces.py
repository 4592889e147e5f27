"""Run a TensorFlow Lite face detector over images and write what it finds as ``detect --json`` does.

``python3 -m training.detector.tflite_faces model.tflite IMAGES... --json out.json``

Only for comparisons (see compare_faces). Needs the package ai-edge-litert, best in an environment of its own; nothing
else of this project does. For detectors with the usual post-processing: boxes (y1, x1, y2, x2 as parts of the image),
classes, scores, count. The image is stretched to the network's input.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.config import ContrastConfig
from thermal_kd_ros.contrast import robust_span
from thermal_kd_ros.frames import FrameError
from thermal_kd_ros.images import find_images, read_image
from thermal_kd_ros.output import written_aside
from training.command import command
from training.data.coco import DataError
from training.outputs import check_place


def grey8(values: np.ndarray) -> np.ndarray:
    """An image of any kind as (H, W) uint8: 8-bit pictures as they are, others stretched as the pipeline does."""
    if values.ndim == 3:
        values = values.mean(axis=2).astype(values.dtype)
    if values.dtype == np.uint8:
        return values
    stretched = robust_span(values, ContrastConfig(), 1e-6).apply(values)
    return np.rint(255 * np.clip(stretched, 0.0, 1.0)).astype(np.uint8)


@command(DataError, FrameError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.tflite_faces",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, nargs="+", help="images, or folders with images")
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args(argv)
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:
        print("error: this comparison needs a TensorFlow Lite runtime: python3 -m pip install ai-edge-litert",
              file=sys.stderr)
        return 1
    entries = []
    check_place(args.json)
    try:
        interpreter = Interpreter(str(args.model), num_threads=1)
        interpreter.allocate_tensors()
        (source,) = interpreter.get_input_details()
        boxes_out, _, scores_out, _ = interpreter.get_output_details()
        _, height, width, _ = source["shape"]
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{args.model}: not a TensorFlow Lite face detector with one image in, and boxes, classes, "
                        f"scores and their count out ({error})") from None
    files = [file for path in args.images for file in find_images(path)]
    for file in tqdm(files, unit="image", disable=None):
        grey = grey8(read_image(file))
        small = cv2.resize(grey, (int(width), int(height)), interpolation=cv2.INTER_AREA)
        interpreter.set_tensor(source["index"], np.repeat(small[None, ..., None], 3, axis=3))
        interpreter.invoke()
        boxes = interpreter.get_tensor(boxes_out["index"])[0]
        scores = interpreter.get_tensor(scores_out["index"])[0]
        scale = np.array([grey.shape[1], grey.shape[0]] * 2)
        kept = scores >= 0.01
        xyxy = boxes[kept][:, [1, 0, 3, 2]] * scale
        faces = [{"score": round(float(s), 5),
                  "box": [round(float(v), 2) for v in (b[0], b[1], b[2] - b[0], b[3] - b[1])]}
                 for b, s in zip(xyxy, scores[kept], strict=True)]
        entries.append({"file": str(file), "width": grey.shape[1], "height": grey.shape[0], "faces": faces})
    with written_aside(args.json) as aside:
        aside.write_text(json.dumps({"images": entries}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
