"""What tests of landmark networks share: recorded and painted faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def empty_drivers(tmp_path: Path) -> Path:
    """A sequence of driver_faces in ``tmp_path`` whose one image and label are empty files named ``f_3``."""
    sequence = tmp_path / "driver_faces" / "2_Man"
    for part in ("Jpg/f_3.jpg", "labels/f_3.txt"):
        (sequence / part).parent.mkdir(parents=True)
        (sequence / part).touch()
    return sequence


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten painted discs in place of heads, in both lights."""
    from training.data.face_renderer import PATCH

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:PATCH, :PATCH] + 0.5
    disc = np.hypot(x - 96, y - 96) < 50
    patches = np.zeros((10, PATCH, PATCH), np.uint16)
    colours = np.zeros((10, PATCH, PATCH, 3), np.uint8)
    points = 96 + 35 * rng.uniform(-1, 1, (10, 54, 2)).astype(np.float32)
    for i in range(10):
        patches[i, disc], colours[i, disc] = 30500 + 20 * i, (200, 150, 20 * i)
    points[:, 8], points[:, 27] = (96, 140), (96, 90)
    path = tmp_path_factory.mktemp("cache") / "pairs.npz"
    np.savez(path, patches=patches, colours=colours, points=points, surface_points=points,
             visible=np.ones((10, 54), bool), axes=np.tile(np.array([[5, 0], [0, -5], [0, 0]], np.float32), (10, 1, 1)),
             pose=np.zeros((10, 3), np.float32), ambient=np.full(10, 22.0, np.float32))
    return path


@pytest.fixture(scope="session")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder driver_faces with four labelled frames of noise, of people 1_*."""
    import cv2

    sequence = tmp_path_factory.mktemp("recorded") / "driver_faces" / "1_Man_NoGlasses_Normal"
    rng = np.random.default_rng(2)
    for folder in ("Jpg", "labels"):
        (sequence / folder).mkdir(parents=True)
    for i in range(4):
        cv2.imwrite(str(sequence / "Jpg" / f"{i}.jpg"), rng.integers(0, 255, (64, 80), np.uint8))
        points = np.column_stack([rng.uniform(0.3, 0.7, (54, 2)), np.ones(54)])
        points[[8, 27], :2] = (0.5, 0.7), (0.5, 0.4)
        (sequence / "labels" / f"{i}.txt").write_text(" ".join(map(str, [0, 0.5, 0.5, 0.5, 0.5, *points.ravel()])))
    return sequence.parent


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six pictures of noise and made-up points."""
    import cv2

    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(1)
    index = {}
    for i in range(6):
        cv2.imwrite(str(folder / f"{i}.png"), rng.integers(0, 255, (64, 64, 3)).astype(np.uint8))
        places = 32 + 20 * rng.uniform(-1, 1, (68, 2))
        places[[36, 45, 8, 27]] = (20, 25), (44, 25), (32, 60), (32, 25)
        index[f"{i}.png"] = places.tolist()
    (folder / "landmarks68.json").write_text(json.dumps(index))
    return folder
