"""What the tables of the documentation share: command line, paired differences with their spread, publishing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from thermal_kd_ros.config import DetectorConfig
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.evaluation.detection import Truth, average_precision
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.results import Detections
from training.command import command
from training.data.coco import DataError
from training.detector.experiment import DEFAULT_DATA
from training.options import check_step
from training.pages import around, place

PARTS = 5
"""The images are dealt out to so many parts, each of which gives a difference."""


def map50(truths: list[Truth], found: list[Detections], classes: tuple[str, ...]) -> np.ndarray:
    """(1 + PARTS,) float64: mAP50 of all images, then of every PARTS-th from the first, the second, and so on."""
    parts = [slice(None), *(slice(i, None, PARTS) for i in range(PARTS))]
    return np.array([average_precision(truths[part], found[part], classes)["map50"] for part in parts])


def cell(scores: np.ndarray, reference: np.ndarray | None) -> str:
    """A score, with its difference to a reference and the standard error of that by the parts; (1 + N,) each.

    Parts without a true object, whose scores are NaN, tell nothing of the error.
    """
    if reference is None:
        return f"{scores[0]:.3f}"
    apart = scores[1:] - reference[1:]
    apart = apart[np.isfinite(apart)]
    error = f" ± {apart.std(ddof=1) / np.sqrt(len(apart)):.3f}" if len(apart) > 1 else ""
    return f"{scores[0]:.3f} ({scores[0] - reference[0]:+.3f}{error})"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that all tables have."""
    parser.add_argument("--model", default=DetectorConfig.model, help="detector of objects")
    parser.add_argument("--root", type=Path, default=DEFAULT_DATA, help="folder of the data sets")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="every N-th image only, to try it out")
    parser.add_argument("--page", type=Path, help="put the table into this page")


def every(step: int) -> str:
    """How a table's caption says that only every ``step``-th image was taken."""
    return f", every {step}th image" if step > 1 else ""


@command(DataError, ModelError, EngineError, ValueError, OSError)
def publish(make: Callable[[], str], name: str, page: Path | None, step: int = 1) -> int:
    """Print what ``make`` returns, and put it into ``page`` as table ``name``; a user's mistake is told in one line.

    ``step`` is that of ``--step``, looked at before any work.
    """
    check_step(step)
    if page is not None:
        around(name, page)
    table = make()
    print(table)
    if page is not None:
        place(table, name, page)
    return 0
