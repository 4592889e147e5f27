"""What is needed to build each network, without PyTorch: a robot that runs ONNX files reads it from their cards too."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

STRIDES = (4, 8, 16, 32)
"""Of the detector's stages."""
LANDMARKER_STRIDE = 16
"""The landmarker's largest."""


@dataclass(frozen=True)
class DetectorSpec:
    """Everything that is needed to build a detector; stored in the model card."""

    classes: int
    widths: tuple[int, ...] = (24, 48, 96, 160)
    """Backbone channels at strides 4, 8, 16, 32."""
    depths: tuple[int, ...] = (1, 2, 2, 1)
    strides: tuple[int, ...] = STRIDES
    """Strides of the pyramid levels used for prediction; a suffix of (4, 8, 16, 32)."""
    pyramid_channels: tuple[int, ...] = field(default=(24, 48, 64, 96))
    """Channels of the pyramid, one number per used stride."""
    bins: int = 16
    """Bins of the distance distribution: distances reach from 0 to (bins - 1) cells."""
    activation: str = "silu"
    """``silu``, or ``hardswish`` or ``relu``, which cost less on a CPU and must be trained with."""

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values."""
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> DetectorSpec:
        """The inverse of to_dict."""
        return cls(**_with_tuples(values))  # type: ignore[arg-type]


@dataclass(frozen=True)
class LandmarkerSpec:
    """Everything that is needed to build a landmarker; stored in the model card."""

    points: int = 54
    size: int = 112
    """Side of the square input, a multiple of 16."""
    channels: int = 1
    """1 for thermal crops; 3 for the visible-light teacher, which is used in training only."""
    widths: tuple[int, ...] = (24, 56, 96)
    """Channels at strides 4, 8, 16."""
    depths: tuple[int, ...] = (1, 1, 2)
    reach: float = 1.2
    """Points can lie anywhere in the crop enlarged this many times."""

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values."""
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> LandmarkerSpec:
        """The inverse of to_dict."""
        return cls(**_with_tuples(values))  # type: ignore[arg-type]


def _plain(values: dict[str, object]) -> dict[str, object]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _with_tuples(values: dict[str, object]) -> dict[str, object]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
