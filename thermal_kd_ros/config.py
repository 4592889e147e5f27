"""Every default of the run-time pipeline, in one place.

Frozen dataclasses, one per concern. The ROS parameters, ``config/perception.yaml`` and the README table are generated
from, or tested against, the metadata of these fields; nothing else repeats a default.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TRANSPORTS = ("auto", "raw", "compressed")
INPUT_MODES = (
    "auto",
    "display8",
    "raw_counts",
    "centikelvin",
    "decikelvin",
    "optris",
    "celsius",
    "kelvin",
    "linear",
)

BACKENDS = ("auto", "torch", "onnxruntime", "openvino")
DEVICES = "cpu, cuda, cuda:<n>, and with OpenVINO gpu, gpu:<n> or npu"
"""What engine.device may be besides auto, for people."""
DEVICE_PATHS = ("auto", "on", "off")
FACE_PRIORITIES = ("score", "size")
CONTRAST_METHODS = ("percentile", "fixed", "plateau", "clahe")


class ConfigError(ValueError):
    """A parameter has a value that cannot be used; the message names it, its value and what is allowed."""


def _parameter(
    default: Any,
    doc: str,
    *,
    bounds: tuple[float, float] | None = None,
    choices: tuple[str, ...] | tuple[int, ...] | None = None,
    live: bool = False,
) -> Any:
    """A dataclass field with what a ROS parameter descriptor needs.

    ``bounds`` is an inclusive numeric range, ``choices`` the allowed strings or numbers, ``live`` says that the value
    may be changed while the node runs.
    """
    return field(default=default, metadata={"doc": doc, "bounds": bounds, "choices": choices, "live": live})


@dataclass(frozen=True)
class ThermalConfig:
    """How the numbers in an image become temperatures."""

    input_mode: str = _parameter(
        "auto",
        "Meaning of the pixel values; auto decides once from the encoding and the range of the first frame.",
        choices=INPUT_MODES,
    )
    scale: float = _parameter(1.0, "Degrees Celsius per count, for input_mode linear.", bounds=(1e-6, 1e3))
    offset: float = _parameter(0.0, "Degrees Celsius at count 0, for input_mode linear.", bounds=(-1e4, 1e4))
    black_hot: bool = _parameter(
        False, "The camera shows what is hot dark: pictures (input_mode display8) are turned round first. Degrees and "
        "raw counts never are.")
    rotate: int = _parameter(
        0, "Degrees clockwise by which the image must be turned to be upright; results stay in the camera's pixels.",
        choices=(0, 90, 180, 270))
    flip: bool = _parameter(
        False, "The camera's image is mirrored left to right: undo that, before rotate, so that left and right of "
        "faces are the subject's own.")
    frozen_policy: str = _parameter(
        "mark", "An image identical to the one before it (closed shutter, hanging camera): mark processes it and "
        "reports it on /diagnostics, skip drops it and counts it.", choices=("mark", "skip"), live=True)
    emissivity: float = _parameter(
        1.0, "Emissivity of what is measured, e.g. 0.98 for skin; 1 leaves temperatures as the camera gives them. For "
        "cameras that assume 1 themselves.", bounds=(0.1, 1.0))
    reflected_c: float = _parameter(
        20.0, "Apparent temperature of what the surroundings reflect, degrees Celsius; counts where emissivity is "
        "below 1.", bounds=(-100.0, 1000.0))


@dataclass(frozen=True)
class CorrectionConfig:
    """Faults of the sensor."""

    bad_pixel_map: str = _parameter(
        "", "File of the camera's bad pixels, which are replaced by their neighbours: a PNG or .npy of the image's "
        "size, not zero where a pixel is bad. Empty: none are known.")
    find_bad_pixels: bool = _parameter(
        False, "Replace single pixels too that stood out from all their neighbours in four of five frames lately.",
        live=True)
    stripes: str = _parameter(
        "off", "Take away offsets of whole columns, rows, or both, that do not belong to the scene.",
        choices=("off", "columns", "rows", "both"), live=True)


@dataclass(frozen=True)
class ContrastConfig:
    """Automatic gain control: from counts or degrees to [0, 1]."""

    method: str = _parameter(
        "model",
        "How values become grey: as in the training of each model, by its card (other contrast parameters count where "
        "they differ from their defaults), or for all models alike: stretched between percentiles of the frame or "
        "between fixed temperatures, equalised with a plateau, or equalised in tiles (CLAHE). fixed needs "
        "temperatures; other images are stretched instead.",
        choices=("model", *CONTRAST_METHODS), live=True)
    low_percentile: float = _parameter(0.5, "Percentile of the frame that is mapped to black.",
                                       bounds=(0.0, 49.0), live=True)
    high_percentile: float = _parameter(99.5, "Percentile of the frame that is mapped to white.",
                                        bounds=(51.0, 100.0), live=True)
    headroom: float = _parameter(0.1, "Part of the span added at both ends, so that hot spots keep their shape.",
                                 bounds=(0.0, 1.0), live=True)
    time_constant_s: float = _parameter(1.0, "Smoothing time of the gain from frame to frame, seconds; 0 is off.",
                                        bounds=(0.0, 60.0), live=True)
    min_span_k: float = _parameter(2.0, "Smallest span of a radiometric image, kelvin: a flat scene stays flat.",
                                   bounds=(0.01, 100.0), live=True)
    min_span_counts: float = _parameter(60.0, "Smallest span of an image of raw counts.",
                                        bounds=(1.0, 65535.0), live=True)
    min_span_display: float = _parameter(16.0, "Smallest span of an 8-bit display image, grey levels.",
                                         bounds=(1.0, 255.0), live=True)
    fixed_low_c: float = _parameter(0.0, "Degrees Celsius that are mapped to black by method fixed.",
                                    bounds=(-100.0, 3000.0), live=True)
    fixed_high_c: float = _parameter(45.0, "Degrees Celsius that are mapped to white by method fixed.",
                                     bounds=(-100.0, 3000.0), live=True)
    plateau_limit: float = _parameter(
        3.0, "Method plateau: most that a grey level counts, in multiples of an even histogram. No detail is amplified "
        "by more than this plus one over a plain stretch.", bounds=(0.1, 100.0), live=True)
    clahe_limit: float = _parameter(2.0, "Method clahe: clip limit of a tile's histogram, as in OpenCV.",
                                    bounds=(0.1, 100.0), live=True)
    clahe_tiles: int = _parameter(8, "Method clahe: tiles along each side of the image.", bounds=(1, 64), live=True)


@dataclass(frozen=True)
class DetectorConfig:
    """The object detector."""

    model: str = _parameter("detector_nano", "Name of a shipped model or path of a .safetensors or .onnx file.")
    score_threshold: float = _parameter(0.3, "Detections below this score are not published.",
                                        bounds=(0.0, 1.0), live=True)
    class_thresholds: tuple[str, ...] = _parameter(
        (), "Thresholds of single classes as name=score, e.g. person=0.25; they replace score_threshold.", live=True)
    nms_iou: float = _parameter(0.5, "Boxes of one class that overlap more than this are one object.",
                                bounds=(0.05, 1.0), live=True)
    max_detections: int = _parameter(100, "Most detections in a frame.", bounds=(1, 1000), live=True)


@dataclass(frozen=True)
class FaceConfig:
    """Face detection and landmarks."""

    enabled: bool = _parameter(
        True, "Find faces and their landmarks. Switched on later, it holds up answers while the networks are loaded.",
        live=True)
    detector_model: str = _parameter("face_detector", "Face detector: shipped model or path of a model file.")
    landmark_model: str = _parameter("landmarks_light", "Landmark model: shipped model or path of a model file.")
    score_threshold: float = _parameter(0.25, "Faces below this score are not used.", bounds=(0.0, 1.0), live=True)
    min_landmark_confidence: float = _parameter(
        0.3, "Faces whose landmarks have a lower mean confidence are not used: what is no face has no sure landmarks.",
        bounds=(0.0, 1.0), live=True)
    nms_iou: float = _parameter(0.3, "Face boxes that overlap more than this are one face.",
                                bounds=(0.05, 1.0), live=True)
    max_faces: int = _parameter(16, "Most faces in a frame.", bounds=(0, 256), live=True)
    priority: str = _parameter("score", "Which faces win where there are more than max_faces: those of the highest "
                               "scores, or the largest (the nearest).", choices=FACE_PRIORITIES, live=True)
    min_size_px: float = _parameter(12.0, "Faces whose longer side is shorter than this, in pixels, are not used.",
                                    bounds=(1.0, 4096.0), live=True)
    mirror: bool = _parameter(True, "Find landmarks in each face and in its mirror image, and take the mean: more "
                              "accurate, for twice the work of the small landmark network.", live=True)
    second_look: bool = _parameter(True, "Find landmarks once more, in the box around the first ones (with mirror in "
                                   "its mirror image alone), and take the mean: more accurate where the detector's box "
                                   "is off, for the same work as mirror's.", live=True)
    head_pose: bool = _parameter(
        True, "Estimate where heads are and where they look; needs camera_info, and not thermal.flip.", live=True)


@dataclass(frozen=True)
class TrackingConfig:
    """Stable ids from frame to frame."""

    enabled: bool = _parameter(True, "Give detections and faces stable ids.", live=True)
    match_iou: float = _parameter(0.2, "Smallest overlap of a track's predicted box with a detection.",
                                  bounds=(0.01, 0.99), live=True)
    max_missed_s: float = _parameter(1.0, "A track that frames lacked for this long, in seconds, is forgotten.",
                                     bounds=(0.0, 60.0), live=True)


@dataclass(frozen=True)
class SmoothingConfig:
    """Landmarks that do not tremble: a One-Euro filter (Casiez et al., CHI 2012) on each point of a tracked face."""

    enabled: bool = _parameter(
        True, "Smooth the landmarks of tracked faces in time; needs tracking.enabled.", live=True)
    min_cutoff_hz: float = _parameter(
        1.5, "Cut-off of the low-pass for a face at rest, hertz: lower is steadier.", bounds=(0.01, 100.0), live=True)
    speed_gain: float = _parameter(
        6.0, "Hertz by which the cut-off rises for each face size a second that a point moves: higher lags less.",
        bounds=(0.0, 1000.0), live=True)
    derivative_cutoff_hz: float = _parameter(
        1.0, "Cut-off of the low-pass on the speeds themselves, hertz.", bounds=(0.01, 100.0), live=True)


@dataclass(frozen=True)
class EngineConfig:
    """What the networks run on."""

    backend: str = _parameter(
        "auto", "Library that runs the networks. auto takes the fastest that is installed: torch on an NVIDIA GPU, "
        "else openvino, onnxruntime, torch.", choices=BACKENDS)
    device: str = _parameter(
        "auto", f"auto takes an NVIDIA GPU where there is one, else the CPU; or {DEVICES}.")
    precision: str = _parameter(
        "auto", "auto is fp16 on an NVIDIA GPU, and on a CPU bf16 with OpenVINO where it computes in bf16, else fp32.",
        choices=("auto", "fp32", "fp16", "bf16"))
    threads: int = _parameter(0, "CPU threads of the networks; 0 leaves the choice to the library.", bounds=(0, 256))
    device_path: str = _parameter(
        "auto", "Contrast, letterbox, suppression and face crops on the networks' device too, on CUDA as CUDA graphs. "
        "auto: where PyTorch runs on a GPU; on: with PyTorch on a CPU too, which is slower there.",
        choices=DEVICE_PATHS)
    cache_dir: str = _parameter(
        "", "Folder where networks built for a GPU are kept (TensorRT, OpenVINO); empty is ~/.cache/thermal_kd_ros.")
    on_failure: str = _parameter(
        "cpu", "A GPU that is lost, or out of memory, while running: cpu goes on there, with a warning on "
        "/diagnostics; error reports an error for each frame.", choices=("cpu", "error"))


@dataclass(frozen=True)
class PerceptionConfig:
    """The whole pipeline."""

    thermal: ThermalConfig = ThermalConfig()
    correction: CorrectionConfig = CorrectionConfig()
    contrast: ContrastConfig = ContrastConfig()
    detector: DetectorConfig = DetectorConfig()
    face: FaceConfig = FaceConfig()
    tracking: TrackingConfig = TrackingConfig()
    smoothing: SmoothingConfig = SmoothingConfig()
    engine: EngineConfig = EngineConfig()

    def __post_init__(self) -> None:
        """Check every value; raises ConfigError."""
        validate(self)
        check_fixed_span(self.contrast)
        class_thresholds(self.detector)

    def models(self) -> tuple[str, str, str]:
        """Names or files of the detector, the face detector and the landmark network, used or not."""
        return self.detector.model, self.face.detector_model, self.face.landmark_model


@dataclass(frozen=True)
class NodeConfig:
    """What belongs to the ROS node alone."""

    auto_start: bool = _parameter(True, "Configure and activate without a lifecycle manager.")
    cameras: tuple[str, ...] = _parameter(
        (), "Names of several cameras that one node serves: each has its own topics, <name>/image, <name>/detections "
        "and so on, its own gain and its own tracks. Empty is one camera, whose topics have no such prefix.")
    batch_window_ms: float = _parameter(
        0.0, "Milliseconds for which the first waiting frame waits for those of other cameras, to share one run of the "
        "networks with them; 0 takes what is there.", bounds=(0.0, 1000.0), live=True)
    max_batch: int = _parameter(
        0, "Most frames, of several cameras, in one run of the networks; those that wait longest come first. 0 is one "
        "of each camera on a GPU, and 1 on a CPU, where more gain little and delay the first result.", bounds=(0, 64),
        live=True)
    reliable_input: bool = _parameter(False, "Ask for reliable instead of best-effort (sensor data) delivery.")
    transport: str = _parameter(
        "auto", "Which images are read: raw (image), compressed (image/compressed), or auto: raw where there are any.",
        choices=TRANSPORTS)
    max_age_s: float = _parameter(
        0.5, "Frames whose stamp is older than this on arrival, in seconds, are dropped; 0 is off.",
        bounds=(0.0, 3600.0), live=True)
    max_rate_hz: float = _parameter(0.0, "Most frames of a camera processed in a second; 0 is no limit.",
                                    bounds=(0.0, 1000.0), live=True)
    expected_rate_hz: float = _parameter(
        0.0, "Rate of each camera, if known: lets the node say when most frames are lost on the way; 0 is unknown.",
        bounds=(0.0, 1000.0), live=True)
    silence_warning_s: float = _parameter(5.0, "Seconds without a frame, with a publisher there, until a warning.",
                                          bounds=(0.5, 3600.0), live=True)
    diagnostics_period_s: float = _parameter(1.0, "Seconds between messages on /diagnostics.", bounds=(0.1, 60.0))
    publish_tf: bool = _parameter(
        False, "Publish a transform from the camera's frame to head_<track id> for every tracked head with a known "
        "pose.", live=True)
    publish_ros4hri: bool = _parameter(
        False, "Publish every tracked face under /humans/faces as well, as ROS4HRI (REP 155) has it; needs the package "
        "hri_msgs.", live=True)
    frozen_frames: int = _parameter(3, "So many identical images in a row count as a frozen (shutter) camera.",
                                    bounds=(2, 1000), live=True)

    def __post_init__(self) -> None:
        """Check the cameras' names; raises ConfigError."""
        for name in self.cameras if isinstance(self.cameras, tuple) else ():
            if not re.fullmatch(r"[A-Za-z]\w*(/[A-Za-z]\w*)*", str(name), re.ASCII):
                raise ConfigError(f"cameras entry {name!r}: must be the beginning of a topic, like front or arm/left")
            if self.cameras.count(name) > 1:
                raise ConfigError(f"cameras names {name!r} more than once")


def parameters(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, dataclasses.Field[Any]]]:
    """All leaves of a configuration as (dotted name, value, field), in the order of declaration."""
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            yield from parameters(value, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", value, item


def with_values(config: Any, values: dict[str, Any]) -> Any:
    """A copy of ``config`` with dotted names replaced; raises ConfigError on unknown names or bad values."""
    changed = _replaced(config, values, "")
    validate(changed)
    return changed


def _replaced(config: Any, values: dict[str, Any], prefix: str) -> Any:
    groups: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] = {}
    names = {item.name for item in dataclasses.fields(config)}
    for name, value in values.items():
        head, _, rest = name.partition(".")
        if head not in names:
            raise ConfigError(f"there is no parameter '{prefix}{name}'; known here: {', '.join(sorted(names))}")
        if rest:
            groups.setdefault(head, {})[rest] = value
        else:
            own[head] = value
    for head, inner in groups.items():
        own[head] = _replaced(getattr(config, head), inner, f"{prefix}{head}.")
    return dataclasses.replace(config, **own)


def validate(config: Any) -> None:
    """Raise ConfigError, naming parameter, value and what is allowed, if a leaf breaks its type, bounds or choices."""
    for name, value, item in parameters(config):
        default = item.default
        kind = type(default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            pass
        elif kind is tuple:
            if not isinstance(value, tuple) or not all(isinstance(entry, str) for entry in value):
                raise ConfigError(f"{name} = {value!r}: must be a list of strings")
        elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ConfigError(f"{name} = {value!r}: must be of type {kind.__name__}")
        bounds, choices = item.metadata["bounds"], item.metadata["choices"]
        if bounds is not None and not (math.isfinite(value) and bounds[0] <= value <= bounds[1]):
            raise ConfigError(f"{name} = {value!r}: must lie in [{bounds[0]:g}, {bounds[1]:g}]")
        if choices is not None and value not in choices:
            raise ConfigError(f"{name} = {value!r}: must be one of {', '.join(map(str, choices))}")


def check_fixed_span(config: ContrastConfig) -> None:
    """Raise ConfigError if the fixed temperatures are not in order; the percentiles' bounds keep those in theirs."""
    if config.fixed_low_c >= config.fixed_high_c:
        raise ConfigError(f"contrast.fixed_low_c = {config.fixed_low_c:g} must be below contrast.fixed_high_c = "
                          f"{config.fixed_high_c:g}")


def class_thresholds(config: DetectorConfig) -> dict[str, float]:
    """``class_thresholds`` parsed into {class name: score}; raises ConfigError."""
    parsed: dict[str, float] = {}
    for entry in config.class_thresholds:
        name, equals, text = entry.partition("=")
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        if not equals or not name.strip() or not 0.0 <= score <= 1.0:
            raise ConfigError(f"detector.class_thresholds entry {entry!r}: must read like person=0.25")
        parsed[name.strip()] = score
    return parsed
