"""Query-based soft distillation: "Generalizable Knowledge Distillation", CVPR 2026, arXiv 2603.02554.

    q = W_q LN(s),  k = t,  v = W_v LN(s),   out = softmax(q k^T) v,   L = mean (out - t)^2

The student's tokens ask the teacher's tokens and must rebuild them; there is no 1 / sqrt(d).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def tokens(level: torch.Tensor, most: int = 16) -> torch.Tensor:
    """A level (B, C, H, W) as tokens (B, N, C), row by row; averaged to at most ``most`` cells a side first."""
    height, width = level.shape[-2:]
    small = F.adaptive_avg_pool2d(level, (min(height, most), min(width, most)))
    return small.flatten(2).transpose(1, 2)


def gkd(student: torch.Tensor, teacher: torch.Tensor, query: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The loss, a scalar; no gradient to the teacher.

    Args:
        student: (B, N, S) tokens.
        teacher: (B, N, T) tokens.
        query: W_q (T, S).
        value: W_v (T, S).
    """
    teacher = teacher.detach()
    normed = F.layer_norm(student, student.shape[-1:])
    attention = (normed @ query.T @ teacher.transpose(1, 2)).softmax(-1)
    return F.mse_loss(attention @ (normed @ value.T), teacher)
