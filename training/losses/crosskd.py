"""Cross-head distillation: Wang et al., "CrossKD", CVPR 2024, arXiv 2306.11369.

The student's head features, brought to the teacher's scale, go through the rest of the teacher's frozen head; what
comes out is held against what the teacher itself predicts:

    classes: |sigma(x) - sigma(t)|^beta BCE(x, sigma(t)), beta = 1      boxes: 1 - GIoU, weighted by the teacher's score
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from training.losses.detection import giou


def align_scale(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Student maps (B, C, H, W) with the mean and deviation per channel, over (B, H, W), of the teacher's."""
    teacher = teacher.detach()
    own = student.mean((0, 2, 3), keepdim=True), (student.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-6).sqrt()
    goal = teacher.mean((0, 2, 3), keepdim=True), (teacher.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-6).sqrt()
    return (student - own[0]) / own[1] * goal[1] + goal[0]


def quality_focal(logits: torch.Tensor, teacher_logits: torch.Tensor, beta: float = 1.0) -> torch.Tensor:
    """Class part for logits (..., C), summed over classes and divided by the sum of the teacher's scores, a scalar."""
    goal = teacher_logits.detach().sigmoid()
    weight = (logits.sigmoid() - goal).abs().pow(beta)
    return (weight * F.binary_cross_entropy_with_logits(logits, goal, reduction="none")).sum() / goal.sum().clamp(min=1)


def box_overlap(boxes: torch.Tensor, teacher_boxes: torch.Tensor, teacher_logits: torch.Tensor) -> torch.Tensor:
    """Box part for boxes (..., 4), weighted by the teacher's best score (..., C), normalised by its sum; a scalar."""
    weight = teacher_logits.detach().sigmoid().amax(-1)
    return ((1 - giou(boxes, teacher_boxes.detach())) * weight).sum() / weight.sum().clamp(min=1e-6)
