"""What dead pixels and stripes cost the shipped detector, and what their correction gives back.

``python3 -m training.detector.correction_table --root <data> --page docs/cameras.md``. The faults are added to the
validation images: the same dead pixels, black and white, in all of them, and the same offsets of columns and rows, in
proportion to the range of each image.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from thermal_kd_ros.config import CorrectionConfig, ThermalConfig
from thermal_kd_ros.correction import Corrector
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.checkpoint import resolve
from training.data.coco import CocoDetection, DataError, Sample
from training.detector.contrast_table import ROWS, Row
from training.detector.evaluate import answers, for_measuring, shared_classes
from training.detector.tables import add_options, cell, every, map50, publish
from training.options import check_number
from training.pages import markdown

_DATA = ("hit_uav", "scenes")


@dataclass(frozen=True)
class Faults:
    """One sensor's."""

    dead: float
    """Part of the pixels."""
    stripes: float
    """Standard deviation of the columns' offsets, as a part of the image's range; of the rows' half of it."""

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) bool: the dead pixels."""
        return np.random.default_rng(0).random(shape) < self.dead

    def apply(self, values: np.ndarray) -> np.ndarray:
        """An image (H, W) as this sensor would give it, in the same type."""
        rng, shape = np.random.default_rng(1), values.shape
        low, high = np.percentile(values, (1, 99))
        lines = rng.standard_normal((1, shape[1])) + 0.5 * rng.standard_normal((shape[0], 1))
        most = float(np.iinfo(values.dtype).max)
        striped = np.clip(values + self.stripes * (high - low) * lines, 0.0, most)
        stuck = np.where(rng.random(shape) < 0.5, 0.0, most)
        return np.rint(np.where(self.mask(shape), stuck, striped)).astype(values.dtype)


class Faulty(CocoDetection):
    """A data set seen by a sensor with faults."""

    def __init__(self, faults: Faults, root: Path, split: str) -> None:
        super().__init__(root, split)
        self._faults = faults

    def __getitem__(self, i: int) -> Sample:
        sample = super().__getitem__(i)
        return replace(sample, values=self._faults.apply(sample.values))


def found_in_stream(data: Faulty, size: tuple[int, int]) -> np.ndarray:
    """The bad pixels (H, W) bool that ``correction.find_bad_pixels`` finds in all images of a size, at 30 Hz."""
    corrector = Corrector(CorrectionConfig(find_bad_pixels=True), None)
    count = 0
    for i in tqdm(range(len(data)), desc="find", unit="image", disable=None):
        if (data.images[i]["height"], data.images[i]["width"]) == size:
            frame = ThermalFrame.from_array(data[i].values, ThermalConfig(), count / 30)
            corrector.apply(frame)
            count += 1
    return corrector.bad if corrector.bad is not None else np.zeros(size, bool)


def _score(model: Path, data: CocoDetection, row: Row, step: int, correction: dict[str, object]) -> np.ndarray:
    perception = for_measuring(model, {f"correction.{name}": value for name, value in correction.items()})
    truths, found = answers(perception, data, step, row.bits)
    return map50(truths, found, row.classes or shared_classes(perception.class_names, data))


def rows_of(model: Path, row: Row, root: Path, faults: Faults, step: int) -> dict[str, str]:
    """The table's column of one data set: {what: score}."""
    clean = CocoDetection(root / row.data, "val")
    faulty = Faulty(faults, root / row.data, "val")
    sizes = {(entry["height"], entry["width"]) for entry in clean.images}
    cases: list[tuple[str, CocoDetection, dict[str, object]]] = [
        ("as recorded", clean, {}),
        ("as recorded, `stripes: both`", clean, {"stripes": "both"}),
        ("with dead pixels and stripes", faulty, {}),
        ("the same, `stripes: both`", faulty, {"stripes": "both"}),
    ]
    with tempfile.TemporaryDirectory() as folder:
        if len(sizes) == 1:
            (size,) = sizes
            maps = {"`bad_pixel_map`": faults.mask(size), "`find_bad_pixels`": found_in_stream(faulty, size)}
            for i, (name, bad) in enumerate(maps.items()):
                path = Path(folder, f"{i}.npy")
                np.save(path, bad)
                cases.append((f"the same, {name}", faulty, {"bad_pixel_map": str(path)}))
                cases.append((f"the same, {name}, `stripes: both`", faulty, {"bad_pixel_map": str(path),
                                                                             "stripes": "both"}))
        scores = {name: _score(model, data, row, step, correction) for name, data, correction in cases}
    reference = scores["as recorded"]
    return {name: cell(score, None if score is reference else reference) for name, score in scores.items()}


def table_of(model: str, root: Path, faults: Faults, step: int) -> str:
    """The table with its caption; raises DataError if ``root`` has none of the data sets."""
    columns = {row.title: rows_of(resolve(model), row, root, faults, step)
               for row in ROWS if row.data in _DATA and (root / row.data).is_dir()}
    if not columns:
        raise DataError(f"{root} has none of {', '.join(_DATA)}; give their folder by --root")
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    return markdown(["images", *columns], {n: [column.get(n, "-") for column in columns.values()] for n in names}) + (
        f"\n\nValidation images{every(step)}; {model}; {faults.dead:.1%} dead pixels, offsets of columns with a "
        f"standard deviation of {faults.stripes:.0%} of the range, of rows with half of it. In brackets the "
        "difference to the images as recorded and its standard error, by parts of the images.")


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.correction_table",
                                     description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--dead", type=float, default=0.005, help="part of the pixels that are dead")
    parser.add_argument("--stripes", type=float, default=0.03, help="offsets of columns, as a part of the range")
    args = parser.parse_args(argv)

    def make() -> str:
        check_number("--dead", args.dead, 0, 0.5)
        check_number("--stripes", args.stripes, 0, 1)
        return table_of(args.model, args.root, Faults(args.dead, args.stripes), args.step)

    return publish(make, "correction", args.page, args.step)


if __name__ == "__main__":
    sys.exit(main())
