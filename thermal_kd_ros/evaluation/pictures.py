"""What was seen and said of a recording, as pictures: a sheet of frames and a film."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from tqdm import tqdm

from ..config import PerceptionConfig
from ..correction import Corrector, known_bad_pixels
from ..drawing import draw, palette, put_text
from ..evaluation.bags import BagReader, header_stamp, image_and_encoding
from ..evaluation.report import Answer
from ..frames import FrameError, ThermalFrame
from ..images import write_image
from ..inspection import contrast_in_use
from ..results import Detections, FaceLandmarks, PerceptionResult
from ..stream import FrameReader
from ..tone import TemporalTone, Tone

_TILES = 12
_COLUMNS = 4
_BAR = 24
_TEXT = (235, 235, 235)
_NARROW = 480
"""Images less wide than this are drawn at twice their size."""


def draw_pictures(bag: BagReader, image_topic: str, answers: Mapping[int, Answer], count: int, config: PerceptionConfig,
                  folder: Path, rate_hz: float) -> list[str]:
    """Write ``sheet.png`` and ``overlay.mp4`` of the first ``count`` frames; notes on what could not be made."""
    shown = min(_TILES, count)
    wanted = {int((i + 0.5) * count / shown) for i in range(shown)}
    tiles: list[np.ndarray] = []
    artist = _Artist(config)
    notes = []
    with _Film(folder / "overlay.mp4", rate_hz) as film:
        images = itertools.islice(bag.records([image_topic]), count)
        for index, record in enumerate(tqdm(images, "draw", count, unit="frame", disable=None)):
            try:
                frame = artist.frame(*image_and_encoding(bag.message(record)), header_stamp(record.data) * 1e-9)
            except FrameError:
                # The node has counted it as bad; there is nothing to see.
                continue
            picture = artist.picture(frame, answers.get(index), index)
            film.add(picture)
            if index in wanted:
                tiles.append(picture)
    if not film.written:
        notes.append("overlay.mp4 was not made: this OpenCV cannot write the mp4v codec")
    if tiles:
        write_image(folder / "sheet.png", _sheet(tiles))
    else:
        notes.append("sheet.png was not made: no image of the recording can be decoded")
    return notes


class _Artist:
    """Draws the frames of one camera with the gain smoothed over time, as the pipeline sees them."""

    def __init__(self, config: PerceptionConfig) -> None:
        self._reader = FrameReader(config.thermal)
        self._contrast = TemporalTone(contrast_in_use(config))
        self._corrector = Corrector(config.correction, known_bad_pixels(config.correction))

    def frame(self, values: np.ndarray, encoding: str, stamp: float) -> ThermalFrame:
        """An image as the pipeline looks at it; raises FrameError."""
        return self._corrector.apply(self._reader.read_array(values, encoding, stamp))

    def picture(self, frame: ThermalFrame, answer: Answer | None, index: int) -> np.ndarray:
        tone = self._contrast.update(frame)
        celsius = frame.celsius(frame.values) if frame.radiometric else None
        objects, faces = Detections.empty(()), FaceLandmarks.empty("", 0)
        if answer is not None:
            objects, faces = answer.objects(), answer.faces
        result = PerceptionResult(objects, faces, {}, frame)
        scale = 2 if frame.shape[1] < _NARROW else 1
        picture = draw(tone.apply(frame.values), result, celsius, scale)
        return np.vstack([picture, _bar(picture.shape[1], frame, tone, answer, index)])


def _bar(width: int, frame: ThermalFrame, tone: Tone, answer: Answer | None, index: int) -> np.ndarray:
    """The strip below a picture: what it is and, where there is room, the palette with its ends in degrees."""
    bar = np.full((_BAR, width, 3), 28, np.uint8)
    said = "no answer" if answer is None else f"{answer.latency_ms:.0f} ms" if math.isfinite(answer.latency_ms) else ""
    put_text(bar, f"frame {index}   {said}", (6, 16), _TEXT)
    ends = np.array([tone.low, tone.high], np.float32)
    if frame.radiometric:
        left, right = (f"{value:.1f}\N{DEGREE SIGN}C" for value in frame.celsius(ends))
    else:
        left, right = (f"{value:.0f}" for value in ends)
    ramp = max(60, width // 5)
    if width < 68 + ramp + 58:
        return bar
    put_text(bar, right, (width - 62, 16), _TEXT)
    bar[6:18, width - 68 - ramp : width - 68] = palette(np.tile(np.linspace(0, 1, ramp, dtype=np.float32), (12, 1)))
    put_text(bar, left, (width - 68 - ramp - 58, 16), _TEXT)
    return bar


def _sheet(tiles: list[np.ndarray]) -> np.ndarray:
    """Tiles in a grid; all are brought to the size of the first."""
    height, width = tiles[0].shape[:2]
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    gap = 6
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 12, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = gap + (i // columns) * (height + gap), gap + (i % columns) * (width + gap)
        fits = tile.shape[:2] == (height, width)
        sheet[y : y + height, x : x + width] = tile if fits else cv2.resize(tile, (width, height))
    return sheet


class _Film:
    """An mp4 file with the size of its first frame, written aside; there is none if the codec is missing."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        self._path = path
        self._aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
        self._rate = rate_hz
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self.written = False

    def __enter__(self) -> _Film:
        return self

    def add(self, picture: np.ndarray) -> None:
        """Append a picture; one of another size is brought to that of the first."""
        if self._writer is None:
            # The codec wants even sides.
            self._size = picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2
            self._writer = cv2.VideoWriter(str(self._aside), cv2.VideoWriter.fourcc(*"mp4v"), self._rate, self._size)
        if self._writer.isOpened():
            if (picture.shape[1], picture.shape[0]) != self._size:
                picture = cv2.resize(picture, self._size)
            self._writer.write(picture)
            self.written = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        if self._writer is not None:
            self._writer.release()
        if self.written and error is None:
            os.replace(self._aside, self._path)
        self._aside.unlink(missing_ok=True)
