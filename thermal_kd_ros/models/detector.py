"""A compact anchor-free detector for single-channel images.

Input (B, 1, H, W) in [0, 1]; H and W must be multiples of the largest stride. ``pyramid`` is the boundary that
distillation works on: one feature map per stride, ``pyramid_channels`` wide. The head is decoupled: classes in one
branch, distances to the four sides (generalised focal loss's distribution, Li et al., NeurIPS 2020) in the other.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import ConvBlock, CrossStage, PyramidPooling, use_activation
from .specs import DetectorSpec


class Backbone(nn.Module):
    """Four stages at strides 4 to 32, after a space-to-depth stem."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), ConvBlock(4, widths[0], 3, 2))
        stages: list[nn.Module] = [CrossStage(widths[0], widths[0], depths[0])]
        for previous, width, depth in zip(widths, widths[1:], depths[1:], strict=False):
            stages.append(nn.Sequential(ConvBlock(previous, width, 3, 2), CrossStage(width, width, depth)))
        self.stages = nn.ModuleList(stages)
        self.pool = PyramidPooling(widths[-1])

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(B, 1, H, W) to features at strides 4, 8, 16, 32."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        features[-1] = self.pool(features[-1])
        return features


class Pyramid(nn.Module):
    """Top-down and bottom-up feature fusion (PANet, Liu et al., CVPR 2018)."""

    def __init__(self, c_in: tuple[int, ...], c_out: tuple[int, ...]) -> None:
        super().__init__()
        n = len(c_in)
        self.lateral = nn.ModuleList(ConvBlock(a, b, 1) for a, b in zip(c_in, c_out, strict=True))
        self.top_down = nn.ModuleList(CrossStage(c_out[i] + c_out[i + 1], c_out[i], 1) for i in range(n - 1))
        self.down = nn.ModuleList(ConvBlock(c_out[i], c_out[i], 3, 2) for i in range(n - 1))
        self.bottom_up = nn.ModuleList(CrossStage(c_out[i] + c_out[i + 1], c_out[i + 1], 1) for i in range(n - 1))

    def forward(self, features: list[torch.Tensor]) -> list[torch.Tensor]:
        """Features, fine to coarse, to fused features of the same sizes."""
        levels = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
        for i in range(len(levels) - 2, -1, -1):
            above = nn.functional.interpolate(levels[i + 1], scale_factor=2.0, mode="nearest")
            levels[i] = self.top_down[i](torch.cat([levels[i], above], dim=1))
        for i in range(len(levels) - 1):
            levels[i + 1] = self.bottom_up[i](torch.cat([self.down[i](levels[i]), levels[i + 1]], dim=1))
        return levels


class Head(nn.Module):
    """One level's predictions: class logits and side distributions."""

    def __init__(self, channels: int, classes: int, bins: int) -> None:
        super().__init__()
        scores = nn.Conv2d(channels, classes, 1)
        self.classify = nn.Sequential(ConvBlock(channels, channels), scores)
        self.regress = nn.Sequential(ConvBlock(channels, channels), nn.Conv2d(channels, 4 * bins, 1))
        # A prior of about 1 % keeps the first steps from drowning in background (Lin et al., ICCV 2017).
        assert scores.bias is not None
        nn.init.constant_(scores.bias, -4.6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, C, H, W) to logits (B, classes, H, W) and side logits (B, 4 * bins, H, W)."""
        return self.classify(x), self.regress(x)


class Detector(nn.Module):
    """Backbone, pyramid and one head per level.

    Another ``backbone`` than the spec's own must give features of the same form: ``spec.widths`` wide, at strides 4 to
    32.
    """

    def __init__(self, spec: DetectorSpec, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = Backbone(spec.widths, spec.depths) if backbone is None else backbone
        self.first = len(spec.widths) - len(spec.strides)
        self.neck = Pyramid(spec.widths[self.first:], spec.pyramid_channels)
        self.heads = nn.ModuleList(Head(c, spec.classes, spec.bins) for c in spec.pyramid_channels)
        use_activation(self, spec.activation)

    def pyramid(self, images: torch.Tensor) -> list[torch.Tensor]:
        """(B, 1, H, W) to one (B, C, H/stride, W/stride) map per stride."""
        return self.neck(self.backbone(images)[self.first:])

    def predict(self, levels: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Pyramid to class logits (B, N, classes) and side logits (B, N, 4, bins), levels concatenated."""
        logits, sides = [], []
        for head, level in zip(self.heads, levels, strict=True):
            cls, reg = head(level)
            logits.append(cls.flatten(2).transpose(1, 2))
            sides.append(reg.flatten(2).transpose(1, 2))
        side = torch.cat(sides, dim=1)
        return torch.cat(logits, dim=1), side.unflatten(2, (4, self.spec.bins))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 1, H, W) to boxes (B, N, 4), x1 y1 x2 y2 in input pixels, and scores (B, N, classes) in [0, 1]."""
        logits, sides = self.predict(self.pyramid(images))
        centres, strides = cells(images.shape[-2], images.shape[-1], self.spec.strides, images.device)
        return decode_boxes(sides.float(), centres, strides), logits.float().sigmoid()


def cells(
    height: int, width: int, strides: tuple[int, ...], device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cell centres (N, 2), x y in input pixels, and strides (N, 1) of all levels, row by row, fine to coarse."""
    centres, sizes = [], []
    for stride in strides:
        rows, columns = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
        centres.append((torch.stack([x, y], dim=-1).reshape(-1, 2).float() + 0.5) * stride)
        sizes.append(torch.full((rows * columns, 1), float(stride), device=device))
    return torch.cat(centres), torch.cat(sizes)


def decode_boxes(sides: torch.Tensor, centres: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
    """Side logits (B, N, 4, bins) to boxes (B, N, 4): each distance is the mean of its softmax, in cells."""
    bins = torch.arange(sides.shape[-1], device=sides.device, dtype=sides.dtype)
    distance = (sides.softmax(dim=-1) * bins).sum(dim=-1) * strides
    return torch.cat([centres - distance[..., :2], centres + distance[..., 2:]], dim=-1)
