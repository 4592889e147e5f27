"""Choosing boxes on a device: the best candidates and non-maximum suppression in fixed shapes, equal to ``nms.py``.

Greedy suppression is a recursion along the order of scores: a box stays if no better box that stays rivals it. It has
one solution only, so whatever set of boxes obeys it is the greedy one. Applying the rule to all boxes at once, again
and again, settles the boxes in the order of their dependencies: after a few rounds in practice, and it is checked.
"""

from __future__ import annotations

import torch

CANDIDATES = 1000
"""As in ``nms.select``."""


def best_candidates(boxes: torch.Tensor, scores: torch.Tensor, thresholds: torch.Tensor, count: int = CANDIDATES
                    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """From dense outputs, boxes (B, N, 4) and scores (B, N, C) in [0, 1], to the best ``count``, best first.

    Boxes (B, K, 4), scores (B, K), labels (B, K) int64; a score is -1 where fewer reach their class's threshold (C,).
    Ties go to the lower index.
    """
    batch, cells, classes = scores.shape
    flat = scores.masked_fill(~(scores >= thresholds), -1.0).reshape(batch, -1)
    total = cells * classes
    # The bits of floats that are not negative are in the order of the floats. With the index below them no two keys
    # are equal, and the order does not depend on how a device sorts.
    index = torch.arange(total, device=scores.device)
    key = (flat.view(torch.int32).long() << 32) | (total - 1 - index)
    best = key.topk(min(count, total), dim=1).values
    chosen = total - 1 - (best & 0xFFFFFFFF)
    cell, label = torch.div(chosen, classes, rounding_mode="floor"), chosen % classes
    return boxes.gather(1, cell[..., None].expand(-1, -1, 4)), flat.gather(1, chosen), label


def rivals(boxes: torch.Tensor, labels: torch.Tensor, iou: float) -> torch.Tensor:
    """(B, K, K) float32: 1 at [b, i, j] if box j comes before i, is of its class and overlaps it by more than ``iou``.

    Boxes (B, K, 4) float32 in falling order of scores, labels (B, K).
    """
    a, b = boxes[:, :, None], boxes[:, None]
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0.0)
    inter = sides[..., 0] * sides[..., 1]
    extent = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0.0)
    area = extent[..., 0] * extent[..., 1]
    union = area[:, :, None] + area[:, None] - inter
    overlap = (inter / union.clamp(min=1e-12)).masked_fill(union <= 0.0, 0.0)
    return ((overlap > iou) & (labels[:, :, None] == labels[:, None])).float().tril(-1)


def suppress(boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor, iou: float, rounds: int
             ) -> tuple[torch.Tensor, torch.Tensor]:
    """Which of best-first candidates stay, (B, K) bool, and whether ``rounds`` were enough to know, (B,) bool.

    K rounds are always enough.
    """
    rival, valid = rivals(boxes, labels, iou), (scores >= 0.0).float()[..., None]
    alive = before = valid
    for _ in range(rounds):
        before = alive
        # 1 where nothing that stays rivals a box, 0 or less where something does.
        alive = torch.baddbmm(valid, rival, before, alpha=-1.0).clamp(min=0.0)
    return alive[..., 0] > 0.0, (alive == before).all(dim=1)[:, 0]


def packed(keep: torch.Tensor, rows: torch.Tensor, limit: int) -> torch.Tensor:
    """The first ``limit`` rows (B, K, D) that are to be kept, moved to the front, (B, limit, D); zeros behind them."""
    place = keep.cumsum(dim=1) - 1
    place = place.masked_fill(~keep | (place >= limit), limit)
    out = rows.new_zeros(len(rows), limit + 1, rows.shape[2])
    return out.scatter_(1, place[..., None].expand_as(rows), rows)[:, :limit]
