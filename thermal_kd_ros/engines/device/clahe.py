"""Contrast-limited adaptive histogram equalisation on a device, to the bit what OpenCV's does on 8 bits.

Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV, 1994; how an image is padded to whole
tiles and how what was clipped is dealt out follows the documented behaviour of ``cv2.createCLAHE``.
"""

from __future__ import annotations

import numpy as np
import torch

LEVELS = 256


def clahe(grey: torch.Tensor, limit: float, tiles: int) -> torch.Tensor:
    """Images (B, H, W) float32 of whole numbers from 0 to 255 to (B, H, W) float32 in [0, 1], in steps of 1/255.

    ``limit`` and ``tiles`` as in ``tone.Clahe``.
    """
    height, width = grey.shape[1:]
    # A tile of a few pixels has no histogram to speak of.
    across, down = (max(1, min(tiles, side // 8)) for side in (width, height))
    padded = grey
    if width % across or height % down:
        # OpenCV then pads both directions, a side that needs nothing by a whole number of tiles.
        padded = _reflected(grey, down - height % down, across - width % across)
    tall, wide = padded.shape[1] // down, padded.shape[2] // across
    tables = _tables(_tile_histograms(padded.long(), down, across), limit, tall * wide)
    return _between_tiles(grey.long(), tables, (tall, wide), (down, across)) / 255.0


def _reflected(image: torch.Tensor, bottom: int, right: int) -> torch.Tensor:
    """The image with rows and columns added by reflection about the last ones, which are not repeated."""
    for dim, extra in ((1, bottom), (2, right)):
        size = image.shape[dim]
        index = torch.arange(size + extra, device=image.device)
        if size > 1:
            index = index % (2 * size - 2)
            index = torch.minimum(index, 2 * size - 2 - index)
        else:
            index = torch.zeros_like(index)
        image = image.index_select(dim, index)
    return image


def _tile_histograms(grey: torch.Tensor, down: int, across: int) -> torch.Tensor:
    """(B, H, W) whole numbers to counts (B, down, across, LEVELS) int64 of tiles."""
    batch, height, width = grey.shape
    row = torch.arange(height, device=grey.device) // (height // down)
    column = torch.arange(width, device=grey.device) // (width // across)
    tile = row[:, None] * across + column
    index = (tile * LEVELS + grey).flatten(1)
    # 32 bits, because atomic additions of 64 are slower on a GPU.
    counts = torch.zeros(batch, down * across * LEVELS, dtype=torch.int32, device=grey.device)
    counts.scatter_add_(1, index, torch.ones_like(index, dtype=torch.int32))
    return counts.view(batch, down, across, LEVELS).long()


def _tables(counts: torch.Tensor, limit: float, area: int) -> torch.Tensor:
    """Counts (B, down, across, LEVELS) to the grey that each level becomes, float32 whole numbers."""
    top = max(1, int(limit * area / LEVELS))
    excess = (counts - top).clamp(min=0).sum(dim=-1, keepdim=True)
    share, rest = excess // LEVELS, excess % LEVELS
    level = torch.arange(LEVELS, device=counts.device)
    step = (LEVELS // rest.clamp(min=1)).clamp(min=1)
    extra = (level % step == 0) & (level // step < rest)
    total = (counts.clamp(max=top) + share + extra).cumsum(dim=-1)
    scale = float(np.float32((LEVELS - 1) / area))
    return (total.float() * scale).round().clamp(max=LEVELS - 1.0)


def _between_tiles(grey: torch.Tensor, tables: torch.Tensor, size: tuple[int, int], count: tuple[int, int]
                   ) -> torch.Tensor:
    """Each pixel (B, H, W) by the tables of the four tiles around it, bilinearly, rounded."""
    ways = []
    for length, side, tiles in zip(grey.shape[1:], size, count, strict=True):
        place = torch.arange(length, device=grey.device, dtype=torch.float32) * (1.0 / side) - 0.5
        first = place.floor()
        ways.append((first.clamp(min=0).long(), (first + 1).clamp(max=tiles - 1).long(), place - first))
    (top, bottom, below), (left, right, beside) = ways
    flat = tables.flatten(1)

    def looked_up(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        index = (row[:, None] * count[1] + column) * LEVELS + grey
        return flat.gather(1, index.flatten(1)).view(grey.shape)

    below = below[:, None]
    upper = looked_up(top, left) * (1.0 - beside) + looked_up(top, right) * beside
    lower = looked_up(bottom, left) * (1.0 - beside) + looked_up(bottom, right) * beside
    return (upper * (1.0 - below) + lower * below).round()
