"""Letterbox and face crops on a device, as products with two small matrices; the weights are OpenCV's.

Resizing by area or linearly is separable: an output row is a weighted sum of input rows. With the weights as a matrix,
windows of any place and size become batched matrix products of one fixed shape.
"""

from __future__ import annotations

import torch

from ...geometry import PAD_VALUE, Letterbox


def weights(start: torch.Tensor, side: torch.Tensor, size: int, length: int, by_area: torch.Tensor) -> torch.Tensor:
    """Weights (F, size, length) float32 of the pixels of a line in windows resized to ``size`` pixels.

    ``start`` and ``side`` (F,) float32 are the first pixel of a window and how many it has; where it reaches beyond the
    line, the line's ends are repeated. ``by_area`` (F,) bool chooses INTER_AREA over INTER_LINEAR.
    """
    start, side, by_area = start.view(-1, 1, 1), side.view(-1, 1, 1), by_area.view(-1, 1, 1)
    device = start.device
    place = torch.arange(size, device=device, dtype=torch.float32).view(1, -1, 1)
    scale = side / size
    # What of an output pixel's weight lies before the end of each input pixel; differences are the pixels' weights.
    edge = torch.arange(1, length, device=device, dtype=torch.float32).view(1, 1, -1) - start
    area = (edge / scale - place).clamp(0.0, 1.0)
    centre = torch.minimum(((place + 0.5) * scale - 0.5).clamp(min=0.0), side - 1.0)
    linear = (edge - centre).clamp(0.0, 1.0)
    inner = torch.where(by_area, area, linear)
    none = inner.new_zeros(inner.shape[0], size, 1)
    return torch.cat([none, inner, none + 1.0], dim=2).diff(dim=2)


class DeviceLetterbox:
    """``geometry.Letterbox.apply`` for batches of one source size."""

    def __init__(self, box: Letterbox, device: torch.device) -> None:
        self.box = box
        width, height = box.inner
        by_area = width < box.source_width
        self._rows = self._matrix(box.source_height, height, by_area, device)
        self._columns = self._matrix(box.source_width, width, by_area, device)
        x, y = box.offset
        self._margins = (x, box.width - width - x, y, box.height - height - y)

    @staticmethod
    def _matrix(source: int, size: int, by_area: bool, device: torch.device) -> torch.Tensor | None:
        """(size, source); None if nothing changes."""
        if source == size:
            return None
        zero = torch.zeros(1, device=device)
        return weights(zero, zero + source, size, source, torch.full((1,), by_area, device=device))[0]

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """(B, source_height, source_width) float32 to (B, height, width) float32, margins filled with PAD_VALUE."""
        if self._rows is not None:
            images = self._rows @ images
        if self._columns is not None:
            images = images @ self._columns.T
        return torch.nn.functional.pad(images, self._margins, value=PAD_VALUE) if any(self._margins) else images


def face_crops(values: torch.Tensor, image: torch.Tensor, x: torch.Tensor, y: torch.Tensor, side: torch.Tensor,
               size: int, whole: bool) -> torch.Tensor:
    """Windows of images (B, H, W) float32, resized as ``geometry.FaceCrop.apply`` does: (F, size, size).

    ``image`` (F,) int64 says of which image; ``x``, ``y``, ``side`` (F,) float32 are a FaceCrop's. ``whole``: the
    values are whole numbers, and OpenCV leaves them so. Otherwise pixels that a non-finite value touches are NaN.
    """
    height, width = values.shape[1:]
    by_area = side > size
    rows, columns = weights(y, side, size, height, by_area), weights(x, side, size, width, by_area)
    if whole:
        return _products(rows, values, image, columns).round()
    finite = values.isfinite()
    clean = _products(rows, values.masked_fill(~finite, 0.0), image, columns)
    touched = _products(rows, (~finite).float(), image, columns)
    return clean.masked_fill(touched > 1e-6, torch.nan)


def _products(rows: torch.Tensor, values: torch.Tensor, image: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """rows (F, S, H) @ values[image] (H, W) @ columns (F, S, W) transposed, without copying a single image F times."""
    if len(values) == 1:
        strips = (rows.flatten(0, 1) @ values[0]).view(*rows.shape[:2], -1)
    else:
        strips = rows @ values[image]
    return strips @ columns.transpose(1, 2)
