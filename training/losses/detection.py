"""Detector losses: task-aligned assignment, quality-focal classification, distribution focal and GIoU regression.

- Assignment: TOOD, Feng et al., ICCV 2021: alignment t = s^alpha * u^beta (s score of the true class, u overlap).
- Classification: generalised focal loss's QFL, Li et al., NeurIPS 2020, eq. 5, with the aligned quality as target; or
  VFL, Zhang et al., VarifocalNet, CVPR 2021, eq. 2.
- Regression: DFL (GFL, eq. 6) and GIoU (Rezatofighi et al., CVPR 2019), of which a part may give way to the normalised
  Gaussian Wasserstein distance, Wang et al., arXiv 2110.13389, eq. 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from thermal_kd_ros.models.detector import decode_boxes

FOCAL_WEIGHTS = ("quality", "varifocal")
"""Known ways to weigh the classification of cells."""


_SPARE = 1.0
"""Bins beyond the furthest side that a cell is given: a distribution needs some on either side of its mean."""


@dataclass(frozen=True)
class DetectionLossConfig:
    """Weights and assignment constants."""

    alpha: float = 1.0
    beta: float = 4.0
    topk: int = 10
    classify: float = 1.0
    iou: float = 2.0
    dfl: float = 0.5
    focal: str = "quality"
    """One of FOCAL_WEIGHTS: how much a cell's classification counts."""
    gamma: float = 2.0
    """Exponent of the focal weight."""
    focal_gradient: bool = True
    """Whether gradients flow through the focal weight too, as in both papers. Otherwise it is a number that scales the
    cross-entropy's gradient, which pushes background that is nearly right down a third as hard, and learns less."""
    varifocal_alpha: float = 0.75
    """Weight of background cells under ``varifocal``."""
    wasserstein: float = 0.0
    """Part of the regression that the normalised Wasserstein distance takes from GIoU, 0 to 1."""
    wasserstein_scale: float = 12.8
    """Pixels at which closeness has fallen to 1/e: a typical size of the objects (the paper's is AI-TOD's mean)."""

    def __post_init__(self) -> None:
        if self.focal not in FOCAL_WEIGHTS:
            raise ValueError(f"loss.focal is one of {', '.join(FOCAL_WEIGHTS)}, not {self.focal!r}")
        if not 0.0 <= self.wasserstein <= 1.0:
            raise ValueError(f"loss.wasserstein is a part between 0 and 1, not {self.wasserstein}")
        for name in ("alpha", "beta", "classify", "iou", "dfl", "gamma", "varifocal_alpha"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"loss.{name} {getattr(self, name):g}: give a number from 0 on")
        if not 0.0 < self.wasserstein_scale < math.inf:
            raise ValueError(f"loss.wasserstein_scale {self.wasserstein_scale:g}: give pixels, above 0")
        if self.topk < 1:
            raise ValueError(f"loss.topk {self.topk}: give at least 1")


@dataclass(frozen=True)
class Targets:
    """Padded targets of a batch."""

    boxes: torch.Tensor
    """(B, M, 4), x1 y1 x2 y2 in input pixels."""
    labels: torch.Tensor
    """(B, M) int64; -1 is an ignore region, -2 padding."""
    labelled: torch.Tensor
    """(B, C) bool: which classes each image's data set labels."""


def giou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Generalised overlap of aligned boxes (..., 4) in [-1, 1]."""
    top_left, bottom_right = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (bottom_right - top_left).clamp(min=0).prod(-1)
    area_a = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    union = area_a + area_b - inter
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    return inter / union.clamp(min=1e-7) - (hull - union) / hull.clamp(min=1e-7)


def wasserstein(a: torch.Tensor, b: torch.Tensor, scale: float) -> torch.Tensor:
    """Normalised Wasserstein closeness of aligned boxes (..., 4), in (0, 1], 1 for equal ones.

    A box stands for the Gaussian of its inscribed ellipse; closeness is exp(-distance / ``scale`` pixels). Unlike
    overlap it falls as slowly for a box of 8 pixels as for one of 80, and does not stop where boxes part.
    """
    shift = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    growth = (a[..., 2:] - a[..., :2] - b[..., 2:] + b[..., :2]) / 2
    squared = shift.square().sum(-1) + growth.square().sum(-1)
    # The root has no slope at 0.
    return torch.exp(-(squared + 1e-12).sqrt() / scale)


def box_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Overlap of every box of (N, 4) with every box of (M, 4): (N, M)."""
    top_left = torch.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = (bottom_right - top_left).clamp(min=0).prod(-1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(-1), (b[:, 2:] - b[:, :2]).prod(-1)
    return inter / (area_a[:, None] + area_b[None, :] - inter).clamp(min=1e-7)


@torch.no_grad()
def assign(scores: torch.Tensor, boxes: torch.Tensor, centres: torch.Tensor, strides: torch.Tensor,
           true_boxes: torch.Tensor, true_labels: torch.Tensor, config: DetectionLossConfig, reach: float = math.inf
           ) -> tuple[torch.Tensor, torch.Tensor]:
    """Task-aligned assignment of one image.

    ``scores`` (N, C) in [0, 1], ``boxes`` (N, 4) decoded, ``centres`` (N, 2), ``strides`` (N, 1), truths (M, 4) and
    (M,) with labels >= 0. Returns for every cell the index of its truth, or -1 (N,), and its quality in [0, 1] (N,).
    A truth smaller than a cell still gets cells: those whose centre is nearer than a stride to its middle.

    A cell from which a side of the truth is further than ``reach`` strides cannot say where that side is, and leaves
    the truth to coarser cells; the coarsest take whatever is left.
    """
    n, m = len(centres), len(true_boxes)
    owner = torch.full((n,), -1, dtype=torch.long, device=centres.device)
    quality = torch.zeros(n, device=scores.device, dtype=scores.dtype)
    if m == 0:
        return owner, quality
    middle = (true_boxes[:, :2] + true_boxes[:, 2:]) / 2
    half = torch.maximum((true_boxes[:, 2:] - true_boxes[:, :2])[None] / 2, strides[:, None, :].expand(-1, m, 2))
    candidate = ((centres[:, None] - middle[None]).abs() < half).all(-1)
    # Without this the finer level, once it has learnt large objects as well as it can, outranks the coarser one for
    # good: that one's boxes never get a target, so they never become better.
    furthest = torch.maximum((centres[:, None] - true_boxes[None, :, :2]).amax(-1),
                             (true_boxes[None, :, 2:] - centres[:, None]).amax(-1))
    candidate &= (furthest <= reach * strides) | (strides == strides.max())
    cell = candidate.any(1).nonzero()[:, 0]
    if not len(cell):
        return owner, quality
    candidate = candidate[cell]
    overlap = box_iou(boxes[cell], true_boxes)
    metric = scores[cell][:, true_labels] ** config.alpha * overlap ** config.beta
    metric = torch.where(candidate, metric, torch.full_like(metric, -1.0))
    # Its nearest cells break the tie of a truth that no prediction overlaps yet. Their quality is 0: they learn nothing
    # from it until a box reaches it.
    distance = ((centres[cell][:, None] - middle[None]) / strides[cell][:, None]).norm(dim=-1)
    ranked = metric - 1e-6 * distance.clamp(max=100.0)
    k = min(config.topk, len(cell))
    best = ranked.topk(k, dim=0).indices
    chosen = torch.zeros_like(candidate).scatter_(0, best, torch.ones_like(best, dtype=torch.bool)) & candidate
    # A cell wanted by several truths goes to the one it overlaps most.
    preference = torch.where(chosen, overlap + 1e-9, torch.full_like(overlap, -1.0))
    value, winner = preference.max(1)
    taken = value > 0
    owner[cell[taken]] = winner[taken]
    aligned = torch.where(chosen, metric.clamp(min=0), torch.zeros_like(metric))
    mine = F.one_hot(winner, m).bool() & taken[:, None]
    aligned = torch.where(mine, aligned, torch.zeros_like(aligned))
    scale = torch.where(mine, overlap, torch.zeros_like(overlap)).amax(0) / aligned.amax(0).clamp(min=1e-9)
    quality[cell] = (aligned * scale[None]).amax(1).clamp(max=1.0)
    return owner, quality


def detection_loss(logits: torch.Tensor, sides: torch.Tensor, centres: torch.Tensor, strides: torch.Tensor,
                   targets: Targets, config: DetectionLossConfig,
                   average: Callable[[torch.Tensor], torch.Tensor] = lambda value: value) -> dict[str, torch.Tensor]:
    """Losses of a batch: ``classify``, ``iou``, ``dfl`` and their weighted sum ``total``, scalars.

    With them, for each stride, ``stride8`` and so on: the part of all quality (of at least 1) that its cells are given.
    It is no loss; a level whose part is 0 learns nothing but background.

    ``logits`` (B, N, C), ``sides`` (B, N, 4, bins). ``average``: mean over the processes that share a batch, so that
    the mean of their losses is the whole batch's. A class that an image's data set does not label gives no loss
    there; background cells inside ignore regions give none either.
    """
    logits, sides = logits.float(), sides.float()
    batch, _, classes = logits.shape
    boxes = decode_boxes(sides, centres, strides)
    with torch.no_grad():
        scores = logits.sigmoid()
        target = torch.zeros_like(logits)
        weight = targets.labelled[:, None, :].expand(-1, logits.shape[1], -1).float().clone()
        owners, qualities = [], []
        for b in range(batch):
            known = targets.labels[b] >= 0
            true_boxes, true_labels = targets.boxes[b][known], targets.labels[b][known]
            owner, quality = assign(scores[b], boxes[b], centres, strides, true_boxes, true_labels, config,
                                    sides.shape[-1] - 1 - _SPARE)
            positive = owner >= 0
            target[b, positive, true_labels[owner[positive]]] = quality[positive]
            for region in targets.boxes[b][targets.labels[b] == -1]:
                # A region without a cell's centre in it still lies in some cell on each level.
                half = torch.maximum((region[2:] - region[:2]) / 2, strides / 2)
                inside = ((centres - (region[:2] + region[2:]) / 2).abs() <= half).all(-1) & ~positive
                weight[b, inside] = 0.0
            owners.append(owner)
            qualities.append(quality)
        normaliser = average(target.sum()).clamp(min=1.0)
    weighed = logits.sigmoid() if config.focal_gradient else scores
    if config.focal == "varifocal":
        # A positive counts as much as its quality; only background is down-weighted.
        focal = torch.where(target > 0, target, config.varifocal_alpha * weighed.pow(config.gamma))
    else:
        focal = (target - weighed).abs().pow(config.gamma)
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    classify = (bce * focal * weight).sum() / normaliser

    # Connected to the graph even when a batch has no object: every parameter gets a gradient, if only zero.
    iou_sum, dfl_sum = sides.sum() * 0.0, sides.sum() * 0.0
    bins = sides.shape[-1]
    for b in range(batch):
        positive = owners[b] >= 0
        if not positive.any():
            continue
        truth = targets.boxes[b][targets.labels[b] >= 0][owners[b][positive]]
        quality = qualities[b][positive]
        apart = 1 - giou(boxes[b][positive], truth)
        if config.wasserstein:
            close = wasserstein(boxes[b][positive], truth, config.wasserstein_scale)
            apart = (1 - config.wasserstein) * apart + config.wasserstein * (1 - close)
        iou_sum = iou_sum + (apart * quality).sum()
        centre, stride = centres[positive], strides[positive]
        distance = torch.cat([centre - truth[:, :2], truth[:, 2:] - centre], -1) / stride
        distance = distance.clamp(0, bins - 1 - 1e-3)
        left = distance.floor().long()
        share = distance - left
        log = sides[b][positive].log_softmax(-1)
        nll = -(log.gather(-1, left[..., None])[..., 0] * (1 - share)
                + log.gather(-1, left[..., None] + 1)[..., 0] * share)
        dfl_sum = dfl_sum + (nll.mean(-1) * quality).sum()
    iou, dfl = iou_sum / normaliser, dfl_sum / normaliser
    total = config.classify * classify + config.iou * iou + config.dfl * dfl
    given = target.sum(dim=(0, 2))
    parts = {f"stride{int(stride)}": given[strides[:, 0] == stride].sum() / normaliser
             for stride in strides.unique()}
    return {"total": total, "classify": classify, "iou": iou, "dfl": dfl, **parts}
