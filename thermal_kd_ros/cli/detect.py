"""Find objects and faces in image files, with the pipeline that the node runs.

Reads 8- and 16-bit PNG, TIFF, JPEG and NumPy arrays (.npy); folders are searched. A file that cannot be read is named
and left out; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import INPUT_MODES, ConfigError
from .options import add_model_options, check_outputs, chosen_parameters, cleaned_up_on_sigterm

if TYPE_CHECKING:
    import numpy as np

    from ..config import PerceptionConfig
    from ..frames import ThermalFrame
    from ..results import PerceptionResult

    _Ready = tuple[Path, Path, ThermalFrame]

HELP = "find objects and faces in image files"

_UNITS: dict[str, dict[str, Any]] = {
    **{mode: {"thermal.input_mode": mode} for mode in INPUT_MODES},
    "counts": {"thermal.input_mode": "raw_counts"},
    "fahrenheit": {"thermal.input_mode": "linear", "thermal.scale": 5.0 / 9.0, "thermal.offset": -160.0 / 9.0},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``detect``."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="image files, and folders of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.add_argument("--overlay", type=Path, metavar="DIR", help="write annotated pictures as PNG")
    parser.add_argument("--unit", choices=tuple(_UNITS),
                        help="meaning of the pixel values (default: auto, judged by type and range of each image)")
    parser.add_argument("--scale", type=float, help="degrees Celsius per count, for --unit linear")
    parser.add_argument("--offset", type=float, help="degrees Celsius at count 0, for --unit linear")
    parser.add_argument("--score", type=float, metavar="X", help="leave out what scores below X, in [0, 1]")
    parser.add_argument("--for-metrics", action="store_true",
                        help="keep the unsure detections that average precision needs: score 0.01, 300 an image")
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="images at once (default: %(default)s)")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Detect; 0 if every image was answered, 1 if not, 2 for arguments that make no sense."""
    if args.json is None and args.overlay is None:
        return _usage("nothing would be written: give --json FILE, --overlay DIR, or both")
    if args.for_metrics and args.score is not None:
        return _usage("--for-metrics keeps what scores above 0.01, and --score is another limit; leave one out")
    if args.json is not None and args.overlay is not None and args.json.absolute() == args.overlay.absolute():
        return _usage(f"--json and --overlay both name {args.json}; one is a file, the other a folder")
    if args.batch < 1:
        return _usage("--batch must be at least 1")
    if args.json is not None and args.json.is_dir():
        return _usage(f"--json {args.json}: is a folder; give the name of a file")
    from ..config import PerceptionConfig, with_values
    from ..engines.base import EngineError
    from ..models.card import ModelError
    from ..output import ResultError
    from ..pipeline import ThermalPerception

    try:
        config = with_values(PerceptionConfig(), _values(args))
        files, failures = _files(args.paths)
        _check_outputs(args, files, config)
    except ConfigError as error:
        return _usage(str(error))
    if not files:
        print("error: there is no image to look at", file=sys.stderr)
        return 1
    try:
        perception = ThermalPerception(config)
    except (ConfigError, ModelError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    job = _Job(perception, config, args)
    try:
        with cleaned_up_on_sigterm():
            answered = _write(job, files, args.json)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"error: {error.filename or args.json}: cannot be written ({error.strerror}); choose another place",
              file=sys.stderr)
        return 1
    except (EngineError, ResultError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    failures += job.failures
    if failures:
        unwritten = "" if answered or args.json is None else f"; {args.json} was not written"
        print(f"error: {failures} of {answered + failures} could not be used, see above{unwritten}", file=sys.stderr)
    return 1 if failures else 0


def _usage(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _values(args: argparse.Namespace) -> dict[str, Any]:
    values: dict[str, Any] = {"tracking.enabled": False, **(_UNITS[args.unit] if args.unit is not None else {})}
    if args.for_metrics:
        from ..evaluation.detection import FOR_METRICS

        values.update(FOR_METRICS)
    if args.score is not None:
        values.update({"detector.score_threshold": args.score, "face.score_threshold": args.score})
    for name, value in (("thermal.scale", args.scale), ("thermal.offset", args.offset)):
        if value is not None:
            if args.unit != "linear":
                raise ConfigError("--scale and --offset are for --unit linear")
            values[name] = value
    return chosen_parameters(args, values)


def _files(paths: list[Path]) -> tuple[list[tuple[Path, Path]], int]:
    """Images as (file, a name of its own), in order and each once, and the number of useless paths.

    The name is the one below the given path; where that is taken, the whole path.
    """
    from ..evaluation.bags import RECORDINGS
    from ..frames import FrameError
    from ..images import find_images

    files: dict[Path, Path] = {}
    taken: set[Path] = set()
    failures = 0
    for path in paths:
        try:
            if path.suffix in RECORDINGS and path.is_file():
                raise FrameError(f"{path}: is a recording; python3 -m thermal_kd_ros evaluate {path} looks at it, and "
                                 "measures it against the truth if it holds any")
            for file in find_images(path):
                if file in files:
                    continue
                name = file.relative_to(path) if path.is_dir() else Path(file.name)
                files[file] = name if name not in taken else Path(*file.absolute().parts[1:])
                taken.add(files[file])
        except FrameError as error:
            failures += 1
            print(f"error: {error}", file=sys.stderr)
    return list(files.items()), failures


def _check_outputs(args: argparse.Namespace, files: list[tuple[Path, Path]], config: PerceptionConfig) -> None:
    """Raises ConfigError where a result would be written over an input."""
    images = [file for file, _ in files]
    if args.json is not None:
        check_outputs("--json", [args.json], images, config)
    if args.overlay is not None:
        check_outputs("--overlay", (_picture(args.overlay, name) for _, name in files), images, config)


def _picture(folder: Path, name: Path) -> Path:
    """The overlay's file of an image."""
    return folder / f"{name}.png"


def _write(job: _Job, files: list[tuple[Path, Path]], path: Path | None) -> int:
    """Answer all files and write the JSON as the answers come; the number of answered images.

    Where there is no answer at all, what an earlier run wrote stays.
    """
    from ..output import written_aside

    if path is None:
        return sum(1 for _ in job.answers(files))
    answers = job.answers(files)
    first = next(answers, None)
    if first is None:
        return 0
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as output:
        output.write('{"images": [')
        for count, entry in enumerate(itertools.chain([first], answers), 1):
            output.write(("" if count == 1 else ",") + "\n" + _json(entry))
        output.write("\n]}\n")
    return count


def _json(entry: dict[str, Any]) -> str:
    """One image's line; raises ResultError with its name."""
    from ..output import ResultError, as_json

    try:
        return as_json(entry)
    except ResultError as error:
        raise ResultError(f"{entry['file']}: {error}") from None


class _Job:
    """One run over many files."""

    def __init__(self, perception: Any, config: PerceptionConfig, args: argparse.Namespace) -> None:
        self.perception = perception
        self.config = config
        self.batch: int = args.batch
        self.overlay: Path | None = args.overlay
        self.failures = 0
        self._said: set[str] = set()

    def answers(self, files: list[tuple[Path, Path]]) -> Iterator[dict[str, Any]]:
        """The JSON entries of all images that can be read."""
        from tqdm import tqdm

        from ..entries import entry_of

        with tqdm(total=len(files), desc="detect", unit="image", disable=None) as bar:
            for start in range(0, len(files), self.batch):
                some = files[start : start + self.batch]
                ready = [(file, name, frame) for file, name in some if (frame := self._read(file)) is not None]
                for (file, name, _), result in self._process(ready):
                    self._draw(name, result)
                    yield {"file": str(file), **entry_of(result)}
                bar.update(len(some))

    def _process(self, ready: list[_Ready]) -> list[tuple[_Ready, PerceptionResult]]:
        """The images with their results; one that does not fit the parameters is named and left out."""
        from ..frames import FrameError

        try:
            return list(zip(ready, self.perception.process([frame for _, _, frame in ready]), strict=True))
        except FrameError as error:
            if len(ready) > 1:
                return [answer for one in ready for answer in self._process([one])]
            self._fail(f"{ready[0][0]}: {error}")
            return []

    def _read(self, file: Path) -> ThermalFrame | None:
        from ..frames import FrameError, ThermalFrame
        from ..images import read_image

        try:
            values = read_image(file, lambda text: self._once("pages", text))
        except FrameError as error:
            self._fail(str(error))
            return None
        try:
            frame = ThermalFrame.from_array(values, self.config.thermal)
        except FrameError as error:
            self._fail(f"{file}: {error}")
            return None
        self._warn(file, values, frame)
        return frame

    def _fail(self, message: str) -> None:
        self.failures += 1
        self._print(f"error: {message}")

    def _warn(self, file: Path, values: np.ndarray, frame: ThermalFrame) -> None:
        """Say once what a user should know of the images."""
        from ..frames import doubt

        if values.ndim == 3:
            self._once("colour", f"{file}: a colour picture is read as grey, the mean of its channels: a palette hides "
                       "temperatures. Radiometric files give more, if the camera can save them")
        if doubted := doubt(frame):
            self._once("unit", f"{file}: {doubted}; check --unit")

    def _once(self, kind: str, message: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            self._print(f"warning: {message} (said once)")

    @staticmethod
    def _print(message: str) -> None:
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)

    def _draw(self, name: Path, result: PerceptionResult) -> None:
        if self.overlay is None:
            return
        from ..drawing import annotate
        from ..images import write_image

        picture = annotate(result, self.perception.contrast, scale=2 if result.frame.shape[1] < 480 else 1)
        write_image(_picture(self.overlay, name), picture)
