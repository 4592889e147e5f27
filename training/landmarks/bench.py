"""What comparisons of landmark trainings share: crops made once, one effort for all rows, rows kept when done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from thermal_kd_ros.models.specs import LandmarkerSpec
from thermal_kd_ros.output import written_aside
from training.data.coco import DataError
from training.data.digest import of_caches
from training.landmarks.evaluate import driver_predictions, predict_crops, sample_predictions, summary
from training.landmarks.fit import Crops, Settings
from training.options import check_number


@dataclass(frozen=True)
class Effort:
    """What a row costs."""

    pairs: int = 2000
    """Faces that it trains on."""
    epochs: int = 2
    batch: int = 32
    variations: int = 2
    """How many crops there are of each face; epochs take them in turn."""
    seeds: int = 3
    every: int = 6
    """Every so many frames of the real validation people."""

    def __post_init__(self) -> None:
        for name, option in (("pairs", "--number"), ("epochs", "--epochs"), ("batch", "batch"),
                             ("variations", "--variations"), ("seeds", "--seeds"), ("every", "every")):
            check_number(option, getattr(self, name), 1)


class Pool(Dataset[tuple[np.ndarray, ...]]):
    """Crops made once: items are rows of arrays, and epoch ``e`` takes variation e modulo their number."""

    def __init__(self, variations: list[tuple[np.ndarray, ...]]) -> None:
        self.variations, self.epoch = variations, 0

    def __len__(self) -> int:
        return len(self.variations[0][0])

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows = self.variations[self.epoch % len(self.variations)]
        return tuple(column[index].astype(np.float32) for column in rows)


def make_pool(crops: Crops, path: Path, variations: int) -> list[tuple[np.ndarray, ...]]:
    """The crops of several epochs, from ``path`` if they were made before."""
    if not path.exists():
        rows: list[list[np.ndarray]] = []
        for epoch in range(variations):
            crops.epoch = epoch
            items = [crops[i] for i in tqdm(range(len(crops)), desc=f"crops {epoch + 1}/{variations}", mininterval=5.0)]
            rows.append([np.stack(column).astype(np.float16) for column in zip(*items, strict=True)])
        arrays = {f"v{v}_{c}": column for v, columns in enumerate(rows) for c, column in enumerate(columns)}
        with written_aside(path) as aside:
            np.savez(aside, **arrays)  # type: ignore[arg-type]
    with np.load(path) as archive:
        columns = max(int(name.split("_")[1]) for name in archive.files) + 1
        return [tuple(archive[f"v{v}_{c}"] for c in range(columns)) for v in range(variations)]


@dataclass(frozen=True)
class Bench:
    """What all runs of a comparison share."""

    output: Path
    pool: list[tuple[np.ndarray, ...]]
    held_out: tuple[np.ndarray, np.ndarray]
    real: Path
    effort: Effort
    device: torch.device

    def settings(self, kind: type[Settings], name: str, spec: LandmarkerSpec, seed: int, **values: object) -> Settings:
        """Settings of a stage under the effort."""
        return kind(name=name, spec=spec, epochs=self.effort.epochs, batch=self.effort.batch, seed=seed,
                    warmup_steps=18, ema=0.98, **values)  # type: ignore[arg-type]

    def some(self, columns: int) -> Pool:
        """The first columns of the pairs that the rows train on."""
        return Pool([tuple(column[: self.effort.pairs] for column in variation[:columns]) for variation in self.pool])

    def measure(self, path: Path) -> dict[str, dict[str, float]]:
        """Figures of a thermal network on rendered and real faces that no run saw."""
        results = {"rendered": summary(predict_crops(str(path), *self.held_out))}
        if (self.real / "driver_faces").is_dir():
            results["real"] = summary(driver_predictions(str(path), self.real, "2", self.effort.every))
        if (self.real / "sf_tl54_sample").is_dir():
            results["sf_tl54"] = summary(sample_predictions(str(path), self.real))
        return results

    def row(self, stage: str, method: str, seed: int, run: Callable[[], Path], begun: Path) -> None:
        """Run what trains a network, measure it and remember both.

        ``begun`` is there if the run only goes on with one that was killed: its time would tell nothing.
        """
        goes_on, before = begun.exists(), _seconds(self.device)
        path = run()
        seconds = None if goes_on else _seconds(self.device) - before
        rows = [*self.rows(), {"stage": stage, "method": method, "seed": seed, "on": self.measure(path),
                               "seconds": seconds}]
        # As a whole: half a line, after a kill or on a full disk, could not be read again.
        with written_aside(self.output / "rows.jsonl") as aside:
            aside.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def rows(self) -> list[dict]:
        """The finished rows."""
        path = self.output / "rows.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def done(self, stage: str, method: str, seed: int) -> bool:
        """Whether a row is finished."""
        return any((r["stage"], r["method"], r["seed"]) == (stage, method, seed) for r in self.rows())


def _seconds(device: torch.device) -> float:
    """A clock: on a CPU that of this process alone, since a machine does other things as well."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def identities(caches: Sequence[Path]) -> list[str]:
    """Caches for ``claim``: where they lie and what they hold, as one may be rendered anew under its name.

    Raises DataError for one that cannot be read.
    """
    return [f"{path.resolve()} {of_caches([path])}" for path in caches]


def claim(output: Path, shared: dict[str, object]) -> None:
    """Make the folder and remember what all its runs share; raises DataError if it holds runs that share other things.

    Its rows, crops and teacher are taken as they are found: under another budget or with other data they would be
    mixed with new ones in one table.
    """
    path, wanted = output / "shared.json", json.loads(json.dumps(shared))
    if path.exists():
        before = json.loads(path.read_text())
        # What an older folder does not name was not there to be chosen then.
        if changed := sorted(name for name in wanted if before.get(name, False) != wanted[name]):
            raise DataError(f"{output} holds runs with other {', '.join(changed)}: give another --output or delete it")
        return
    with written_aside(path) as aside:
        aside.write_text(json.dumps(wanted, indent=1))
