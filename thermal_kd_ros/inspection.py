"""What the pipeline makes of one image, told to people: in lines of text, and as a picture of all contrast methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .config import CONTRAST_METHODS, INPUT_MODES, ContrastConfig, PerceptionConfig, ThermalConfig
from .frames import PLAUSIBLE_C, ThermalFrame, doubt, explain_mode
from .geometry import Letterbox
from .images import write_image
from .models.card import ModelError
from .models.checkpoint import read_card, resolve
from .tone import TemporalTone, Tone, contrast_for

_SHOWN = (0.5, 2.0, 50.0, 98.0, 99.5)
_MANY = 0.01
"""So many of the pixels at one end of the range are worth a word."""


def describe(values: np.ndarray, frame: ThermalFrame, encoding: str, config: PerceptionConfig) -> list[str]:
    """What is in an image and what happens to it, line by line.

    Args:
        values: (H, W) or (H, W, channels), as stored or received.
        frame: the same as a thermal frame.
        encoding: of the message; empty for files.
        config: of the pipeline; which models it names decides the size that the image is brought to.
    """
    facts = [
        ("image", f"{frame.shape[1]} x {frame.shape[0]}, {encoding or _channels(values)}, {values.dtype}"),
        *_range(frame.values),
        ("read as", f"{frame.mode}: {_why(frame, config.thermal)}"),
        *_temperatures(frame),
        ("contrast", _contrast(frame, contrast_in_use(config))),
        *_networks(frame, config),
        *(("note", text) for text in _notes(values, frame, config.thermal)),
    ]
    return [f"{name:<12} {text}" for name, text in facts]


def draw_methods(frame: ThermalFrame, config: PerceptionConfig, path: Path) -> None:
    """Write a picture: histogram of the values, the plain stretch from minimum to maximum, every contrast method.

    Raises OSError where it cannot be written in the format of the path's suffix.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 8.5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3).ravel()
    contrast = contrast_in_use(config)
    used = TemporalTone(contrast).update(frame)
    _histogram(axes[0], frame, used)
    finite = frame.values[np.isfinite(frame.values)].astype(np.float64)
    reach = max(float(np.ptp(finite)), 1e-9)
    _show(axes[1], np.nan_to_num((frame.values - finite.min()) / reach), "minimum to maximum (never used)")
    for axis, method in zip(axes[2:], CONTRAST_METHODS, strict=True):
        tone = TemporalTone(dataclasses.replace(contrast, method=method)).update(frame)
        chosen = "   < in use" if method == contrast.method else ""
        _show(axis, tone.apply(frame.values), f"contrast.method: {method}{chosen}")
    figure.suptitle(f"{frame.shape[1]} x {frame.shape[0]} {frame.values.dtype}, read as {frame.mode}")
    canvas.draw()
    write_image(path, np.asarray(canvas.buffer_rgba())[..., 2::-1])


def contrast_in_use(config: PerceptionConfig) -> ContrastConfig:
    """What the detector of objects sees; the configured contrast if its model cannot be read.

    Raises ConfigError if the model's card and the configured contrast contradict each other.
    """
    try:
        card = read_card(resolve(config.detector.model))
    except ModelError:
        return config.contrast
    return contrast_for(config.contrast, card.normalisation)


def _show(axis: object, grey: np.ndarray, title: str) -> None:
    axis.imshow(np.clip(grey, 0.0, 1.0), cmap="gray", vmin=0.0, vmax=1.0)  # type: ignore[attr-defined]
    axis.set_title(title)  # type: ignore[attr-defined]
    axis.set_axis_off()  # type: ignore[attr-defined]


def _histogram(axis: object, frame: ThermalFrame, tone: Tone) -> None:
    shown = frame.celsius(frame.values) if frame.radiometric else frame.values
    shown = shown[np.isfinite(shown)].astype(np.float64)
    ends = np.array([tone.low, tone.high])
    axis.hist(shown, bins=200, color="0.4", log=True)  # type: ignore[attr-defined]
    for end in frame.celsius(ends) if frame.radiometric else ends:
        axis.axvline(float(end), color="tab:red")  # type: ignore[attr-defined]
    axis.set_title("values; red: what becomes black and white")  # type: ignore[attr-defined]
    axis.set_xlabel("degrees Celsius" if frame.radiometric else "counts")  # type: ignore[attr-defined]
    axis.set_ylabel("pixels")  # type: ignore[attr-defined]


def _channels(values: np.ndarray) -> str:
    return "one channel" if values.ndim == 2 else f"{values.shape[2]} channels"


def _range(values: np.ndarray) -> Iterator[tuple[str, str]]:
    finite = values[np.isfinite(values)]
    yield "values", f"{finite.min():g} to {finite.max():g}, {len(np.unique(finite))} different"
    percentiles = np.percentile(finite, _SHOWN)
    yield "percentiles", ", ".join(f"{p:g} %: {v:.6g}" for p, v in zip(_SHOWN, percentiles, strict=True))


def _why(frame: ThermalFrame, config: ThermalConfig) -> str:
    if config.input_mode != "auto":
        return f"set by thermal.input_mode (auto would take {explain_mode(frame.values)[0]})"
    return f"{explain_mode(frame.values)[1]}. If that is wrong, set thermal.input_mode"


def _temperatures(frame: ThermalFrame) -> Iterator[tuple[str, str]]:
    if frame.radiometric:
        low, middle, high = np.nanpercentile(frame.celsius(frame.values[np.isfinite(frame.values)]), (0, 50, 100))
        yield "degrees", f"{low:.1f} to {high:.1f} C, median {middle:.1f} C"
        return
    yield "degrees", "unknown: these values are no temperatures, so everything is found but no temperature told"


def _contrast(frame: ThermalFrame, contrast: ContrastConfig) -> str:
    tone = TemporalTone(contrast).update(frame)
    ends = np.array([tone.low, tone.high], np.float32)
    if frame.radiometric:
        low, high = (f"{end:.1f} C" for end in frame.celsius(ends))
    else:
        low, high = (f"{end:.6g}" for end in ends)
    return f"{contrast.method}: {low} becomes black, {high} white"


def _networks(frame: ThermalFrame, config: PerceptionConfig) -> Iterator[tuple[str, str]]:
    names = [config.detector.model, *([config.face.detector_model] if config.face.enabled else [])]
    for name in names:
        try:
            card = read_card(resolve(name))
        except ModelError as error:
            yield "network", f"cannot be read: {error}"
            continue
        inner = Letterbox(*frame.shape, card.input_height, card.input_width).inner
        times = inner[0] / frame.shape[1]
        yield "network", (f"{card.name} sees {card.input_width} x {card.input_height}, the image in it at "
                          f"{inner[0]} x {inner[1]} ({times:.2f} times its size)")


def _notes(values: np.ndarray, frame: ThermalFrame, config: ThermalConfig) -> Iterator[str]:
    pixels = frame.values
    if values.ndim == 3:
        yield ("colour is read as grey, the mean of the channels: a palette hides temperatures. Let the camera publish "
               "mono16 or 32FC1, or save radiometric files, if it can")
    if pixels.dtype.kind == "f" and (bad := 1.0 - np.isfinite(pixels).mean()) > 0.0:
        yield (f"{bad:.2%} of the pixels are NaN or infinite; they are left out of the contrast and become black, plus "
               "infinity white")
    if config.black_hot:
        yield ("thermal.black_hot turned this picture round: the values above are those after it"
               if frame.mode == "display8" else "thermal.black_hot does nothing here: this is no picture for people")
    finite = pixels[np.isfinite(pixels)]
    if finite.min() == finite.max():
        yield "all values are the same: a closed shutter, a covered lens or a camera that is starting"
    for end, word in ((finite.min(), "smallest"), (finite.max(), "largest")):
        if (part := (finite == end).mean()) > _MANY and finite.min() != finite.max():
            yield f"{part:.1%} of the pixels have the {word} value, {end:g}: the range of the camera may end there"
    if doubted := doubt(frame):
        yield f"{doubted}; check thermal.input_mode"
    if pixels.dtype == np.uint16:
        yield from _notes_on_counts(pixels, frame, config)


def _notes_on_counts(counts: np.ndarray, frame: ThermalFrame, config: ThermalConfig) -> Iterator[str]:
    used = int(np.bitwise_or.reduce(counts, axis=None))
    if used and not used & 0xF:
        yield "the lowest bits of all values are zero: 12 bits or fewer, moved up in 16, which contrast does not mind"
    if frame.mode == "raw_counts" and explain_mode(counts.byteswap())[0] == "centikelvin":
        yield "with the bytes swapped these would be centikelvin: the driver may tell the wrong is_bigendian"
    others = []
    for mode in INPUT_MODES:
        other = ThermalFrame.from_array(counts, dataclasses.replace(config, input_mode=mode))
        if mode in ("auto", "linear", frame.mode) or not other.radiometric:
            continue
        middle = float(np.median(other.celsius(counts)))
        if PLAUSIBLE_C[0] <= middle <= PLAUSIBLE_C[1]:
            others.append(f"{mode} {middle:.1f} C")
    if others:
        yield f"the middle of the image in other modes: {', '.join(others)}"
