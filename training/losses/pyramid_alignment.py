"""Cross-modal guidance: the student's pyramid features follow those of a frozen teacher that sees another image.

L = sum over levels of w_l D(M_l F_s, M_l F_t) / sum of w_l, as Kim and An, "Contrast-Guided Cross-Modal Distillation
for Thermal Object Detection", arXiv 2511.01435, describe it. Their text leaves D and M open, so both are switches:

- ``pkd``: features standardised per channel over (N, H, W), half their mean squared difference, which is 1 - Pearson's
  correlation (Cao et al., "PKD", NeurIPS 2022). Does not mind the magnitudes of either side.
- ``mse``: mean squared difference (FitNets, Romero et al., ICLR 2015).
- ``cosine``: 1 - cosine over channels, averaged over cells.
- ``frequency``: mean squared difference of the low spatial frequencies plus 0.1 ln(1 + that of the high ones), the
  decoupling that FreqKD (arXiv 2606.11572) describes.

Regions: ``full`` maps, ``mask`` (cells that a box touches), or ``roi`` (RoIAlign crops of each box on its own level).
The teacher's side gets no gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from training.losses.rois import box_mask, crop, level_of

LOW_FREQUENCY = 0.125
"""Cycles per cell up to which ``frequency`` counts as low: a quarter of the Nyquist frequency."""

Distance = Callable[[torch.Tensor, torch.Tensor, "torch.Tensor | None"], torch.Tensor]


def _mean(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Mean of (N, C, H, W) over everything, or over the cells where the mask (N, 1, H, W) is 1."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / (mask.sum() * values.shape[1]).clamp(min=1.0)


def standardise(maps: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """(N, C, H, W) to zero mean and unit deviation per channel, over the cells of ``mask`` (N, 1, H, W) if given.

    A constant channel becomes 0, with a finite gradient.
    """
    weight = torch.ones_like(maps[:, :1]) if mask is None else mask.to(maps)
    total = weight.sum().clamp(min=1.0)
    mean = (maps * weight).sum((0, 2, 3), keepdim=True) / total
    variance = ((maps - mean).square() * weight).sum((0, 2, 3), keepdim=True) / total
    return (maps - mean) / (variance + 1e-8).sqrt()


def pkd(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Half the mean squared difference of standardised (N, C, H, W) maps, a scalar."""
    return _mean((standardise(student, mask) - standardise(teacher.detach(), mask)).square(), mask) / 2


def mse(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Mean squared difference of (N, C, H, W) maps, a scalar."""
    return _mean((student - teacher.detach()).square(), mask)


def cosine(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over cells of 1 - cosine between the channel vectors of (N, C, H, W) maps, a scalar."""
    return _mean(1 - torch.cosine_similarity(student, teacher.detach(), dim=1, eps=1e-6)[:, None], mask)


def frequency(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor | None = None,
              high_weight: float = 0.1) -> torch.Tensor:
    """Low frequencies' mean squared difference + ``high_weight`` ln(1 + the high ones'), a scalar.

    Maps (N, C, H, W); the difference is masked before it is transformed. By Parseval's theorem the two mean squared
    differences without weight and logarithm add up to ``mse``.
    """
    difference = student - teacher.detach()
    if mask is not None:
        difference = difference * mask
    height, width = difference.shape[-2:]
    spectrum = torch.fft.rfft2(difference, norm="ortho")
    rows, columns = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    low = (rows[:, None].square() + columns[None, :].square()).sqrt() <= LOW_FREQUENCY
    low_part = torch.fft.irfft2(spectrum * low.to(spectrum.device), s=(height, width), norm="ortho")
    share = 1.0 if mask is None else mask.numel() / mask.sum().clamp(min=1.0)
    return share * low_part.square().mean() + high_weight * torch.log1p(
        share * (difference - low_part).square().mean())


ALIGN: dict[str, Distance] = {"pkd": pkd, "mse": mse, "cosine": cosine, "frequency": frequency}
REGIONS = ("full", "mask", "roi")


def pyramid_alignment(student: list[torch.Tensor], teacher: list[torch.Tensor], strides: tuple[int, ...],
                      rois: torch.Tensor, align: str = "pkd", region: str = "full",
                      weights: tuple[float, ...] | None = None) -> torch.Tensor:
    """The loss above, a scalar; levels where the region is empty do not count.

    Args:
        student: one (B, C, H, W) map per stride, already as wide as the teacher's.
        teacher: maps of the same shapes.
        strides: of the levels, input pixels.
        rois: (K, 5), image index and x1 y1 x2 y2 of the objects in input pixels.
        align: key of ALIGN.
        region: one of REGIONS.
        weights: w_l; all 1 if None.
    """
    total = sum((level.sum() * 0.0 for level in student), start=torch.zeros((), device=student[0].device))
    weight_sum = 0.0
    own = level_of(rois, strides)
    for i, (mine, goal, stride) in enumerate(zip(student, teacher, strides, strict=True)):
        if mine.dtype != torch.float64:
            mine, goal = mine.float(), goal.float()
        mask = None
        if region == "mask":
            mask = box_mask(rois, (mine.shape[0], mine.shape[2], mine.shape[3]), stride).to(mine)
            if not mask.any():
                continue
        elif region == "roi":
            inside = rois[own == i]
            if not len(inside):
                continue
            mine, goal = crop(mine, inside, stride), crop(goal, inside, stride)
        weight = 1.0 if weights is None else weights[i]
        total = total + weight * ALIGN[align](mine, goal, mask)
        weight_sum += weight
    return total / weight_sum if weight_sum else total
