"""Real thermal faces that a training can see beside rendered ones, and the terms that then hold for its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data.coco import DataError
from training.data.driver_faces import DriverFaces
from training.data.face_sets import SfTl54, TFake
from training.data.labelled_crops import Faces
from training.provenance import Provenance


@dataclass(frozen=True)
class RealFaces:
    """A published set of faces with the 54 points of the network."""

    folders: tuple[str, ...]
    """What the folders to be given are."""
    read: Callable[..., Faces]
    """From the folders to the labelled faces for training."""
    origin: Provenance


LAYOUTS = {
    "driver": RealFaces(
        ("the folder of driver_faces",), lambda root: DriverFaces(root, "1"),
        Provenance(("driver_faces people 1_* (Knapik et al., Electronics 13(17), 3502, 2024), labels by a network; "
                    "academic and research use only",), "research only")),
    "sf_tl54": RealFaces(
        ("the folder with gray/train",), lambda root: SfTl54(root, "train"),
        Provenance(("SF-TL54, training set (Kuzdeuov et al., SII 2022), published without a licence",),
                   "research only")),
    "t_fake": RealFaces(
        ("the folder of <id>_ldmks.txt", "the folder of <id>_thermal.png"), TFake,
        Provenance(("T-FAKE (Flotho et al., CVPR 2025), CC BY-NC-SA 4.0; points as marked in visible light",),
                   "CC BY-NC-SA 4.0")),
}
"""The sets by the name that ``--adapt-layout`` takes."""


def real_faces(layout: str, folders: list[Path]) -> Faces:
    """The training faces of a set; raises DataError for a wrong number of folders or a folder without the set."""
    wanted = LAYOUTS[layout].folders
    if len(folders) != len(wanted):
        raise DataError(f"--adapt-layout {layout} takes {' and '.join(wanted)} by --adapt, {len(folders)} given")
    return LAYOUTS[layout].read(*folders)
