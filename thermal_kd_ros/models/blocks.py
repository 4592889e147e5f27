"""Building blocks shared by the networks: plain dense convolutions, which CPUs and GPUs both run well."""

from __future__ import annotations

import torch
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "hardswish": nn.Hardswish, "relu": nn.ReLU}
"""What can stand at the end of a ConvBlock."""


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.03),
            nn.SiLU(inplace=True),
        )


class Bottleneck(nn.Module):
    """Two 3x3 convolutions with a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBlock(channels, channels), ConvBlock(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same shape."""
        return x + self.body(x)


class CrossStage(nn.Module):
    """Cross-stage partial block: half of the channels go through bottlenecks (Wang et al., CSPNet, CVPRW 2020)."""

    def __init__(self, c_in: int, c_out: int, depth: int) -> None:
        super().__init__()
        half = c_out // 2
        self.split = ConvBlock(c_in, 2 * half, 1)
        self.body = nn.ModuleList(Bottleneck(half) for _ in range(depth))
        self.merge = ConvBlock((2 + depth) * half, c_out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c_in, H, W) to (B, c_out, H, W)."""
        parts = list(self.split(x).chunk(2, dim=1))
        for block in self.body:
            parts.append(block(parts[-1]))
        return self.merge(torch.cat(parts, dim=1))


class PyramidPooling(nn.Module):
    """Three chained 5x5 max pools, concatenated: a wide field of view for little work (SPPF)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = ConvBlock(channels, channels // 2, 1)
        self.merge = ConvBlock(channels * 2, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same shape."""
        parts = [self.reduce(x)]
        for _ in range(3):
            parts.append(nn.functional.max_pool2d(parts[-1], 5, 1, 2))
        return self.merge(torch.cat(parts, dim=1))


def use_activation(model: nn.Module, name: str) -> None:
    """End every ConvBlock of a network, in place, with another of ACTIVATIONS; raises KeyError for an unknown name.

    For a network to be trained with it: weights for one activation are none for another.
    """
    for module in model.modules():
        if isinstance(module, ConvBlock):
            module[2] = ACTIVATIONS[name](inplace=True)


def fuse_batch_norm(model: nn.Module) -> nn.Module:
    """Fold every batch norm of the ConvBlocks into its convolution, in place; for inference only."""
    for module in model.modules():
        if isinstance(module, ConvBlock) and isinstance(module[1], nn.BatchNorm2d):
            convolution, norm = module[0], module[1]
            assert isinstance(convolution, nn.Conv2d)
            module[0] = nn.utils.fuse_conv_bn_eval(convolution.eval(), norm.eval())
            module[1] = nn.Identity()
    return model
