"""Boxes as regions of pyramid features: which level a box belongs to, and its pooled features.

Levels: Lin et al., "Feature Pyramid Networks", CVPR 2017, eq. 1, k = floor(k0 + log2(s / s0)) with
s the root of the box's area, clamped to the levels there are. There a box of 224 pixels belongs to stride 16; here one
of 64 does. That is this project's choice: with 224 every object of canvases up to 224 pixels would belong to the finest
level. FCOS (Tian et al., ICCV 2019, 3.2) parts the levels of its one-stage heads at 64 and 128 pixels too, but of the
largest distance to a side of the box, not of its area's root.
Pooling: RoIAlign, He et al., "Mask R-CNN", ICCV 2017.
"""

from __future__ import annotations

import torch
from torchvision.ops import roi_align

from training.losses.detection import Targets

CANONICAL = 64.0
"""Pixels (root of a box's area) from which on objects belong to the level of stride 16."""


def rois_of(targets: Targets) -> tuple[torch.Tensor, torch.Tensor]:
    """The objects of a batch: rois (K, 5), image index and x1 y1 x2 y2, and labels (K,).

    Ignore regions, padding and boxes without area are left out.
    """
    solid = (targets.boxes[..., 2:] - targets.boxes[..., :2] > 0).all(-1)
    image, slot = ((targets.labels >= 0) & solid).nonzero(as_tuple=True)
    boxes = targets.boxes[image, slot]
    return torch.cat([image[:, None].to(boxes.dtype), boxes], 1), targets.labels[image, slot]


def level_of(rois: torch.Tensor, strides: tuple[int, ...]) -> torch.Tensor:
    """Index (K,) into ``strides``, fine to coarse and doubling, of the level of each roi (K, 5)."""
    size = (rois[:, 3:] - rois[:, 1:3]).clamp(min=1e-6).prod(1).sqrt()
    level = torch.floor(4 + torch.log2(size / CANONICAL)) - (strides[0].bit_length() - 1)
    return level.long().clamp(0, len(strides) - 1)


def crop(level: torch.Tensor, rois: torch.Tensor, stride: int, size: int = 7) -> torch.Tensor:
    """RoIAlign of one level (B, C, H, W) for rois (K, 5) in input pixels: (K, C, size, size), float32 or better."""
    features = level if level.dtype == torch.float64 else level.float()
    return roi_align(features, rois.to(features.dtype), size, 1.0 / stride, sampling_ratio=2, aligned=True)


def pooled(levels: list[torch.Tensor], rois: torch.Tensor, strides: tuple[int, ...]
           ) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Global averages of each roi's RoIAlign on its own level.

    Returns for each level, fine to coarse, the indices (k,) of its rois and their features (k, C of that level).
    """
    own = level_of(rois, strides)
    result = []
    for i, (level, stride) in enumerate(zip(levels, strides, strict=True)):
        index = (own == i).nonzero()[:, 0]
        result.append((index, crop(level, rois[index], stride).mean((2, 3))))
    return result


def box_mask(rois: torch.Tensor, shape: tuple[int, int, int], stride: int) -> torch.Tensor:
    """Union of the rois (K, 5) on a level's grid ``shape`` (B, H, W): (B, 1, H, W) float32, 1 in touched cells."""
    batch, height, width = shape
    mask = torch.zeros(batch, 1, height, width, device=rois.device)
    low = (rois[:, 1:3] / stride).floor().long().clamp(min=0)
    high = (rois[:, 3:] / stride).ceil().long()
    for image, (x1, y1), (x2, y2) in zip(rois[:, 0].long().tolist(), low.tolist(), high.tolist(), strict=True):
        mask[image, 0, y1:y2, x1:x2] = 1.0
    return mask
