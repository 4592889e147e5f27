"""A larger detector that begins as a trained smaller one: same answers at first, room to learn more.

The smaller network's channels become the first channels of the larger one's layers, and read nothing of the new ones
until training finds a use for those (zero weights, which do get gradients). The idea of function-preserving growth is
Net2Net's (Chen et al., ICLR 2016); new channels start at random here instead of as copies, so nothing has to tell them
apart. A pyramid that gains a finer level passes the old levels on unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import pi

import torch
from torch import nn

from thermal_kd_ros.models.blocks import Bottleneck, ConvBlock, CrossStage
from thermal_kd_ros.models.detector import Backbone, Detector, Head
from thermal_kd_ros.models.specs import DetectorSpec


def can_grow(old: DetectorSpec, new: DetectorSpec) -> bool:
    """Whether a detector of the spec ``new`` can hold one of ``old``: as much of everything, and the same answers."""
    finer = len(new.strides) - len(old.strides)
    return (
        (old.classes, old.bins, old.activation) == (new.classes, new.bins, new.activation)
        and new.activation == "relu"  # an identity for a new level's neighbours needs f(f(x)) = f(x)
        and len(old.strides) > 1 and finer in (0, 1) and new.strides[finer:] == old.strides
        and all(a <= b for a, b in zip(old.widths, new.widths, strict=True))
        and all(a <= b for a, b in zip(old.depths, new.depths, strict=True))
        and all(a <= b for a, b in zip(old.pyramid_channels, new.pyramid_channels[finer:], strict=True))
    )


@torch.no_grad()
def grow(new: Detector, old: Detector) -> None:
    """Put a trained detector into a larger, freshly made one, in place; see ``can_grow`` for what fits.

    In evaluation mode the larger one then gives the smaller one's answers at the levels that both have; the classes of
    a new level keep the low prior that they are made with.
    """
    assert can_grow(old.spec, new.spec)
    assert isinstance(new.backbone, Backbone) and isinstance(old.backbone, Backbone)
    _block(new.backbone.stem[1], old.backbone.stem[1], _first(4))
    inputs = _first(old.spec.widths[0])
    _stage(new.backbone.stages[0], old.backbone.stages[0], inputs)
    for i, (stage, small) in enumerate(zip(new.backbone.stages, old.backbone.stages, strict=True)):
        if i > 0:
            assert isinstance(stage, nn.Sequential) and isinstance(small, nn.Sequential)
            _block(stage[0], small[0], inputs)
            inputs = _first(old.spec.widths[i])
            _stage(stage[1], small[1], inputs)
    _block(new.backbone.pool.reduce, old.backbone.pool.reduce, inputs)
    _block(new.backbone.pool.merge, old.backbone.pool.merge,
           _joined([old.spec.widths[-1] // 2] * 4, [new.spec.widths[-1] // 2] * 4))
    _neck(new, old)
    for head, small_head in zip(list(new.heads)[len(new.heads) - len(old.heads):], old.heads, strict=True):
        assert isinstance(head, Head) and isinstance(small_head, Head)
        _branch(head.classify, small_head.classify)
        _branch(head.regress, small_head.regress)


def _neck(new: Detector, old: Detector) -> None:
    finer = len(new.neck.lateral) - len(old.neck.lateral)
    narrow, wide = old.spec.pyramid_channels, new.spec.pyramid_channels[finer:]
    widths = old.spec.widths[old.first:]
    for i, lateral in enumerate(old.neck.lateral):
        _block(new.neck.lateral[i + finer], lateral, _first(widths[i]))
    for i in range(len(narrow) - 1):
        pair = _joined(narrow[i : i + 2], wide[i : i + 2])
        _stage(new.neck.top_down[i + finer], old.neck.top_down[i], pair)
        _block(new.neck.down[i + finer], old.neck.down[i], _first(narrow[i]))
        _stage(new.neck.bottom_up[i + finer], old.neck.bottom_up[i], pair)
    if finer:
        source = new.neck.top_down[1]
        assert isinstance(source, CrossStage)
        _pass_through(new.neck.bottom_up[0], source.merge, new.spec.pyramid_channels[0])


def _first(n: int) -> torch.Tensor:
    return torch.arange(n)


def _joined(narrow: Sequence[int], wide: Sequence[int]) -> torch.Tensor:
    """Where the first ``narrow`` channels of each part lie in a concatenation of parts of ``wide`` channels."""
    starts = [0, *accumulate(wide)]
    return torch.cat([start + _first(n) for start, n in zip(starts, narrow, strict=False)])


def _layers(block: nn.Module) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    assert isinstance(block, ConvBlock)
    convolution, norm = block[0], block[1]
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return convolution, norm


def _block(new: nn.Module, old: nn.Module, inputs: torch.Tensor, outputs: torch.Tensor | None = None) -> None:
    """``inputs``, ``outputs``: the places of the old ConvBlock's channels in the new one."""
    (convolution, norm), (small, small_norm) = _layers(new), _layers(old)
    outputs = _first(small.out_channels) if outputs is None else outputs
    convolution.weight[outputs] = 0.0
    convolution.weight[outputs[:, None], inputs[None]] = small.weight
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(norm, name)[outputs] = getattr(small_norm, name)


def _stage(new: nn.Module, old: nn.Module, inputs: torch.Tensor) -> None:
    assert isinstance(new, CrossStage) and isinstance(old, CrossStage)
    half, wide = _layers(old.split)[0].out_channels // 2, _layers(new.split)[0].out_channels // 2
    _block(new.split, old.split, inputs, _joined([half] * 2, [wide] * 2))
    for bottleneck, small in zip(new.body, old.body, strict=False):
        assert isinstance(bottleneck, Bottleneck) and isinstance(small, Bottleneck)
        for block, small_block in zip(bottleneck.body, small.body, strict=True):
            _block(block, small_block, _first(half))
    _block(new.merge, old.merge, _joined([half] * (2 + len(old.body)), [wide] * (2 + len(new.body))))


def _branch(new: nn.Sequential, old: nn.Sequential) -> None:
    """One branch of a head: a ConvBlock, and a convolution that gives as many answers as before."""
    answers, small = new[1], old[1]
    assert isinstance(answers, nn.Conv2d) and isinstance(small, nn.Conv2d)
    assert answers.bias is not None and small.bias is not None
    _block(new[0], old[0], _first(small.in_channels))
    answers.weight.zero_()
    answers.weight[:, : small.in_channels] = small.weight
    answers.bias.copy_(small.bias)


def _pass_through(stage: nn.Module, source: ConvBlock, skip: int) -> None:
    """Make a CrossStage an identity of its inputs from ``skip`` on, which ``source`` makes.

    Batch norm needs the mean and variance of what it sees to leave it alone. What enters a block's ReLU has the mean
    and deviation that its batch norm gives it; those of what leaves it are a rectified normal variable's.
    """
    assert isinstance(stage, CrossStage)
    _, made = _layers(source)
    mean, deviation = made.bias, made.weight.abs().clamp(min=1e-3)
    t = mean / deviation
    part, density = 0.5 * (1 + torch.erf(t / 2**0.5)), torch.exp(-t * t / 2) / (2 * pi) ** 0.5
    rectified = mean * part + deviation * density
    variance = ((mean**2 + deviation**2) * part + mean * deviation * density - rectified**2).clamp(min=0)
    channels = len(mean)
    for block, shift in ((stage.split, skip), (stage.merge, 0)):
        convolution, norm = _layers(block)
        assert norm.running_mean is not None and norm.running_var is not None
        convolution.weight[:channels] = 0.0
        convolution.weight[_first(channels), shift + _first(channels), 0, 0] = 1.0
        norm.running_mean[:channels], norm.running_var[:channels] = rectified, variance
        norm.weight[:channels], norm.bias[:channels] = (variance + norm.eps).sqrt(), rectified
