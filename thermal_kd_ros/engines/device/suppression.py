"""Choosing boxes on a device: best candidates, non-maximum suppression and voting in fixed shapes, equal to ``nms.py``.

Greedy suppression is a recursion along the order of scores: a box stays if no better box that stays rivals it. It has
one solution only, so whatever set of boxes obeys it is the greedy one. Applying the rule to all boxes at once, again
and again, settles the boxes in the order of their dependencies: after a few rounds in practice, and it is checked.
"""

from __future__ import annotations

import torch

from ...nms import CANDIDATES, LEAST_VOTE, VOTE_IOU, VOTE_POWER


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


def overlaps(boxes: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(B, K, K) float32: intersection over union of boxes (B, K, 4) of the same class (B, K), 0 of others."""
    a, b = boxes[:, :, None], boxes[:, None]
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0.0)
    inter = sides[..., 0] * sides[..., 1]
    extent = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0.0)
    area = extent[..., 0] * extent[..., 1]
    union = area[:, :, None] + area[:, None] - inter
    none = (union <= 0.0) | (labels[:, :, None] != labels[:, None])
    return (inter / union.clamp(min=1e-12)).masked_fill(none, 0.0)


def suppress(overlap: torch.Tensor, scores: torch.Tensor, iou: float, rounds: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Which of best-first candidates stay, (B, K) bool, and whether ``rounds`` were enough to know, (B,) bool.

    ``overlap`` (B, K, K) of :func:`overlaps`, scores (B, K), negative for none. K rounds are always enough.
    """
    # 1 at [b, i, j] if box j comes before box i and overlaps it too much.
    rival, valid = (overlap > iou).float().tril(-1), (scores >= 0.0).float()[..., None]
    alive = before = valid
    for _ in range(rounds):
        before = alive
        # 1 where nothing that stays rivals a box, 0 or less where something does.
        alive = torch.baddbmm(valid, rival, before, alpha=-1.0).clamp(min=0.0)
    return alive[..., 0] > 0.0, (alive == before).all(dim=1)[:, 0]


def voted(overlap: torch.Tensor, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Every box (B, K, 4) as the weighted mean of itself and its near ones of the same class; see ``nms.voted``."""
    near = (overlap > VOTE_IOU) | torch.eye(boxes.shape[1], dtype=torch.bool, device=boxes.device)
    say = (scores.clamp(min=LEAST_VOTE) ** VOTE_POWER).masked_fill(scores < 0.0, 0.0)
    weight = near * say[:, None]
    # Boxes without a score have no say; those that stand alone get 0 / 1, and are not kept.
    return weight @ boxes / weight.sum(dim=2, keepdim=True).masked_fill(scores[..., None] < 0.0, 1.0)


def packed(keep: torch.Tensor, rows: torch.Tensor, limit: int) -> torch.Tensor:
    """The first ``limit`` rows (B, K, D) that are to be kept, moved to the front, (B, limit, D); zeros behind them."""
    place = keep.cumsum(dim=1) - 1
    place = place.masked_fill(~keep | (place >= limit), limit)
    out = rows.new_zeros(len(rows), limit + 1, rows.shape[2])
    return out.scatter_(1, place[..., None].expand_as(rows), rows)[:, :limit]
