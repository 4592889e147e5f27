"""8-bit pictures as thermal cameras show them: own contrast, polarity, false colours, things drawn on top."""

from __future__ import annotations

import cv2
import numpy as np

from thermal_kd_ros.simulation.camera import encode
from thermal_kd_ros.simulation.random_frames import tone_mapped
from training.data.augment import detail_enhanced

_PALETTES = {
    "rainbow": ((0, 0, 0), (0, 0, 130), (0, 60, 255), (0, 140, 20), (60, 190, 0), (255, 255, 0), (255, 130, 0),
                (255, 0, 0), (255, 130, 130), (255, 255, 255)),
    "iron": ((0, 0, 10), (50, 0, 130), (150, 0, 150), (220, 60, 60), (250, 140, 0), (255, 210, 60), (255, 255, 230)),
    "arctic": ((10, 10, 60), (0, 80, 200), (60, 190, 220), (120, 120, 120), (220, 160, 30), (255, 220, 80),
               (255, 255, 220)),
    "lava": ((0, 0, 0), (20, 40, 90), (70, 90, 130), (150, 40, 40), (220, 60, 0), (255, 180, 0), (255, 255, 200)),
}
"""Red, green and blue of even steps from cold to hot, in the manner of what cameras offer."""


def palette_grey(name: str) -> np.ndarray:
    """(256,) uint8: what each level becomes when a picture in the palette's colours is turned to grey by luminance."""
    stops = np.array(_PALETTES[name], np.float64) @ (0.299, 0.587, 0.114)
    return np.rint(np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, len(stops)), stops)).astype(np.uint8)


def displayed(celsius: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W) uint8 picture of a measurement (H, W) °C.

    Half are equalised as well as stretched; some are black-hot; some went through a false-colour palette and back to
    grey, which loses the order of the temperatures; some have their detail enhanced or edges sharpened, letters and
    a scale burned in.
    """
    shown = tone_mapped(celsius, rng) if rng.random() < 0.5 else celsius
    if rng.random() < 0.4:
        shown = detail_enhanced(shown, rng)
    elif rng.random() < 0.35:
        soft = cv2.GaussianBlur(shown, (0, 0), rng.uniform(0.8, 2.5))
        shown = shown + np.float32(rng.uniform(0.3, 1.5)) * (shown - soft)
    chance = rng.random()
    grey, _ = encode(shown, "display8", black_hot=bool(chance < 0.15))
    if chance > 0.7:
        grey = palette_grey(str(rng.choice(list(_PALETTES), p=[0.55, 0.25, 0.1, 0.1])))[grey]
    if rng.random() < 0.25:
        _overlay(grey, rng)
    if rng.random() < 0.5:
        _, code = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))])
        grey = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE))
    return grey


def _overlay(grey: np.ndarray, rng: np.random.Generator) -> None:
    """Burn in temperatures, a scale, a cross (in place)."""
    height, width = grey.shape
    size = rng.uniform(0.25, 0.5) * height / 256
    for _ in range(int(rng.integers(1, 4))):
        text = f"{rng.uniform(-10, 110):.{int(rng.integers(0, 2))}f}{rng.choice(['C', 'F', ''])}"
        spot = (int(rng.choice([4, width - 60 * size - 30])), int(rng.choice([12, height - 6])))
        cv2.putText(grey, text, spot, cv2.FONT_HERSHEY_SIMPLEX, size, (int(rng.choice([0, 255])),), 1, cv2.LINE_AA)
    if rng.random() < 0.5:
        bar = np.linspace(255, 0, height // 2).astype(np.uint8)[:, None]
        x = int(rng.choice([2, width - 8]))
        grey[height // 4 : height // 4 + len(bar), x : x + 5] = bar
    if rng.random() < 0.3:
        cv2.drawMarker(grey, (width // 2, height // 2), (255,), cv2.MARKER_CROSS, max(int(24 * size), 6), 1)
