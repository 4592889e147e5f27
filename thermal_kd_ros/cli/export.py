"""Write a model for other runtimes: ONNX, or an exported program of PyTorch.

The result is compared with PyTorch on thermal frames before it is written. INT8 is calibrated on labelled frames, and
written only if the accuracy on other labelled frames stays. Frames are rendered by the simulated camera, unless --data
names a COCO data set.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from .options import cleaned_up_on_sigterm, image_size

HELP = "write a model as ONNX or exported program, in fp32, fp16 or int8"

_PACKAGES = "onnx onnxscript onnxruntime pycocotools tqdm"
"""Besides PyTorch; as in setup.py's extra ``export``."""
_SPLIT, _MAX_DROP = "train", 0.02
_FORMATS = {"onnx": ".onnx", "exported_program": ".pt2"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``export``."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a shipped model or a .safetensors file")
    parser.add_argument("--all", action="store_true",
                        help="the ONNX files of all shipped models, in their place in the package")
    parser.add_argument("--format", choices=tuple(_FORMATS), default="onnx", help="(default: %(default)s)")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32", help="(default: %(default)s)")
    parser.add_argument("--input", type=image_size, metavar="WxH",
                        help="of a detector: for another size of input, such as 640x512, which frames are brought to "
                        "(default: the model's own)")
    parser.add_argument("--output", type=Path, metavar="FILE",
                        help="what to write (default: beside the model, with the precision in its name)")
    parser.add_argument("--frames", type=int, metavar="N",
                        help="frames to compare on (default: 6), or to calibrate and again to measure int8 on "
                        "(default: 48)")
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help="take frames from this COCO data set, DIR/SPLIT.json beside DIR/SPLIT/")
    parser.add_argument("--split", help=f"split of --data (default: {_SPLIT})")
    parser.add_argument("--max-drop", type=float, metavar="X",
                        help=f"int8: most of the accuracy that may be lost, as a part of it (default: {_MAX_DROP})")


def run(args: argparse.Namespace) -> int:
    """Export; 0 if all is written, 1 if not, 2 for arguments that make no sense."""
    problem = _problem(args)
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    try:
        import torch  # noqa: F401
    except ImportError:
        print("error: exporting needs PyTorch; install it with: python3 -m pip install torch torchvision "
              f"{_PACKAGES}", file=sys.stderr)
        return 1
    from ..engines.errors import EngineError
    from ..exporting.errors import ExportError
    from ..models.card import ModelError
    from ..models.checkpoint import resolve, shipped

    try:
        with cleaned_up_on_sigterm():
            for source in shipped() if args.all else [resolve(args.model)]:
                print(_export(source, args))
    except (ExportError, ModelError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"error: {error.name} is not installed; install it with: python3 -m pip install {_PACKAGES}",
              file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename or args.output}: cannot be written ({error.strerror}); choose another place "
              "with --output", file=sys.stderr)
        return 1
    return 0


def _problem(args: argparse.Namespace) -> str:
    if args.all == (args.model is not None):
        return "give a MODEL or --all"
    if args.all and (args.output or args.input or args.precision != "fp32" or args.format != "onnx"):
        return "--all writes the shipped ONNX files, in fp32 and in their place"
    if args.precision == "int8" and args.format != "onnx":
        return "int8 is there for --format onnx only"
    if args.output is not None and args.output.suffix != _FORMATS[args.format]:
        return f"--output {args.output}: must end in {_FORMATS[args.format]}"
    if args.frames is not None and args.frames < 1:
        return "--frames must be at least 1"
    if args.split is not None and args.data is None:
        return "--split is of --data; give that too"
    if args.max_drop is not None and args.precision != "int8":
        return "--max-drop is for --precision int8"
    return "" if args.max_drop is None or 0.0 <= args.max_drop <= 1.0 else "--max-drop must lie in [0, 1]"


def _export(source: Path, args: argparse.Namespace) -> str:
    """Export one model; what to tell the user."""
    from ..exporting.errors import ExportError
    from ..exporting.frames import labelled_frames
    from ..exporting.networks import export_onnx, export_program
    from ..exporting.resize import resized
    from ..models.checkpoint import SAFETENSORS, read_card
    from ..output import overwritten

    if source.suffix != SAFETENSORS:
        raise ExportError(f"{source}: is not a .safetensors file, from which everything else is exported")
    faces = read_card(source).task == "landmarks"
    split = args.split or _SPLIT
    mark = "" if args.precision == "fp32" else f".{args.precision}"
    mark = mark if args.input is None else ".{}x{}".format(*args.input) + mark
    output = args.output or source.with_suffix(f"{mark}{_FORMATS[args.format]}")
    if overwritten([output], [source]):
        raise ExportError(f"--output {output}: would be written over the model {source}; choose another name")
    with resized(source, *args.input) if args.input else nullcontext(source) as model:
        if args.precision == "int8":
            from ..exporting.int8 import export_int8

            count = args.frames or 48
            labelled = labelled_frames(2 * count, args.data, split, faces)
            max_drop = _MAX_DROP if args.max_drop is None else args.max_drop
            return f"{output}: {export_int8(model, output, labelled[:count], labelled[count:], max_drop)}"
        frames = [entry.frame for entry in labelled_frames(args.frames or 6, args.data, split, faces)]
        export = export_onnx if args.format == "onnx" else export_program
        found = export(model, output, args.precision, frames)
    return f"{output}: {output.stat().st_size / 1e6:.1f} MB; differs from PyTorch by {found}"
