"""The jump that a thermal camera's shutter correction (FFC, NUC) leaves behind."""

from __future__ import annotations

import math

import numpy as np

_SAMPLES = 20_000
"""About so many pixels are compared."""
_BLOCKS = 8
"""The image is judged in so many times so many blocks: what moves in the scene shifts some of them, not all."""
_FACTOR, _AGREEING = 3.0, 0.6
"""So large a share of the blocks must shift as the whole does, within the factor. In simulated scenes the share is
above 0.6 after nearly every correction that can be told from noise, and below 0.45 where frames were only lost."""
_ABOVE_NOISE = 0.25
"""The shift must be this part of the typical change of a pixel, or it could be drift."""


def is_global_jump(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether an image (H, W) is another one, of the same size and type, shifted in value as a whole.

    A shutter correction takes away the offset that the sensor has gathered, everywhere at once; a camera or a network
    that only hung goes on where the scene is. Pixels that are not finite are left out.
    """
    step = max(1, math.isqrt(before.size // _SAMPLES))
    pair = [image[step // 2 :: step, step // 2 :: step].astype(np.float64) for image in (before, after)]
    with np.errstate(invalid="ignore", over="ignore"):
        change = pair[1] - pair[0]
    change[~np.isfinite(change)] = 0.0
    shifts = np.array([np.median(block) for rows in np.array_split(change, min(_BLOCKS, change.shape[0]))
                       for block in np.array_split(rows, min(_BLOCKS, change.shape[1]), axis=1)])
    shift = float(np.median(shifts))
    if shift == 0.0:
        return False
    agreeing = np.mean((shifts / shift > 1.0 / _FACTOR) & (shifts / shift < _FACTOR))
    noise = float(np.median(np.abs(change - shift)))
    return bool(agreeing >= _AGREEING and abs(shift) >= _ABOVE_NOISE * noise)
