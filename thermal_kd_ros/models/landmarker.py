"""A light landmark network: heat maps whose means are the points, and a standard deviation for each point.

Input (B, channels, S, S) in [0, 1], a normalised face crop. The points are the means of softmax heat maps at a quarter
of the input's resolution (integral regression, Sun et al., "Integral Human Pose Regression", ECCV 2018), so they are
not tied to the grid and may lie a little outside the crop. The heat maps come from features at an eighth of the
resolution by sub-pixel shuffle (Shi et al., CVPR 2016), which costs a quarter of convolutions at full heat map size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .blocks import ConvBlock, CrossStage, PyramidPooling
from .specs import LANDMARKER_STRIDE, LandmarkerSpec


class Landmarker(nn.Module):
    """An encoder to stride 16, and a head: one step back up to stride 8, heat maps at stride 4.

    Encoder and head are separate calls because distillation feeds one network's features to another one's head. Other
    ``stages`` than the spec's own are three modules that give features of the same form, at strides 4, 8 and 16.
    """

    grid: torch.Tensor

    def __init__(self, spec: LandmarkerSpec, stages: Sequence[nn.Module] | None = None) -> None:
        super().__init__()
        if spec.size % LANDMARKER_STRIDE:
            raise ValueError(f"the input size {spec.size} is not a multiple of {LANDMARKER_STRIDE}")
        self.spec = spec
        _, middle, coarse = spec.widths
        self.stem, self.stage8, self.stage16 = _stages(spec) if stages is None else stages
        self.lateral = ConvBlock(coarse, middle, 1)
        self.fuse = CrossStage(2 * middle, middle, 1)
        self.heat = nn.Sequential(nn.Conv2d(middle, 4 * spec.points, 1), nn.PixelShuffle(2))
        self.spread = nn.Linear(coarse + middle, spec.points)
        nn.init.constant_(self.spread.bias, 1.0)
        cells = spec.size // 4
        grid = ((torch.arange(cells) + 0.5) / cells - 0.5) * spec.reach + 0.5
        self.register_buffer("grid", grid * spec.size, persistent=False)

    def encode(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, channels, S, S) to features (B, widths[1], S/8, S/8) and (B, widths[2], S/16, S/16)."""
        middle = self.stage8(self.stem(crops))
        return middle, self.stage16(middle)

    def heat_maps(self, features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features as ``encode`` gives them to logits (B, K, S/4, S/4) and sigma (B, K) in input pixels, float32."""
        middle, coarse = features
        above = nn.functional.interpolate(self.lateral(coarse), scale_factor=2.0, mode="nearest")
        fused = self.fuse(torch.cat([middle, above], dim=1))
        pooled = torch.cat([coarse.mean(dim=(2, 3)), fused.mean(dim=(2, 3))], dim=1)
        sigma = self.spread(pooled).float().clamp(-3.0, 5.0).exp()
        return self.heat(fused).float(), sigma

    def predict(self, features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features as ``encode`` gives them to points (B, K, 2) and sigma (B, K), both float32 in input pixels."""
        heat, sigma = self.heat_maps(features)
        return decode_heat(heat, self.grid), sigma

    def encoder(self) -> tuple[nn.Module, ...]:
        """The modules that ``encode`` uses."""
        return self.stem, self.stage8, self.stage16

    def head(self) -> tuple[nn.Module, ...]:
        """The modules that ``predict`` uses."""
        return self.lateral, self.fuse, self.heat, self.spread

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, channels, S, S) to points (B, K, 2) and sigma (B, K), both float32 in input pixels.

        The centre of the top-left pixel is (0.5, 0.5). Sigma is the standard deviation of the error along each axis.
        """
        return self.predict(self.encode(crops))


def _stages(spec: LandmarkerSpec) -> tuple[nn.Module, nn.Module, nn.Module]:
    fine, middle, coarse = spec.widths
    return (nn.Sequential(nn.PixelUnshuffle(4), ConvBlock(16 * spec.channels, fine),
                          CrossStage(fine, fine, spec.depths[0])),
            nn.Sequential(ConvBlock(fine, middle, 3, 2), CrossStage(middle, middle, spec.depths[1])),
            nn.Sequential(ConvBlock(middle, coarse, 3, 2), CrossStage(coarse, coarse, spec.depths[2]),
                          PyramidPooling(coarse)))


def decode_heat(heat: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Heat map logits (B, K, n, n) to points (B, K, 2): the mean over cells at the coordinates ``grid`` (n,)."""
    probability = heat.flatten(2).softmax(dim=2).view(heat.shape)
    x = (probability.sum(dim=2) * grid).sum(dim=2)
    y = (probability.sum(dim=3) * grid).sum(dim=2)
    return torch.stack([x, y], dim=2)
