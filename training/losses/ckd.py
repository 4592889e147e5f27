"""Style and content of two modalities: CKD, "Breaking Modality Gap in RGBT Tracking", ACM MM 2024, arXiv 2410.11586.

    style   = mean over channels of (mu_a - mu_b)^2 + (sigma_a - sigma_b)^2
    content = mean of (IN(F_s) - IN(F_t))^2,   IN = instance normalisation

mu and sigma are the mean and deviation of a channel over the cells of one image. The paper's weights are 0.01 and 0.1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def style(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Style distance of (B, C, H, W) maps, a scalar; symmetric, both sides get gradients."""
    mean = (a.mean((2, 3)) - b.mean((2, 3))).square()
    deviation = (_deviation(a) - _deviation(b)).square()
    return (mean + deviation).mean()


def content(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Content distance of (B, C, H, W) maps, a scalar; no gradient to the teacher's side."""
    return F.mse_loss(F.instance_norm(student), F.instance_norm(teacher.detach()))


def _deviation(maps: torch.Tensor) -> torch.Tensor:
    # A channel that is the same everywhere has a finite gradient too.
    return (maps.var((2, 3), unbiased=False) + 1e-8).sqrt()
