"""Class-supervised contrast of object features: objects of one class gather, those of others part.

Supervised contrastive loss, Khosla et al., NeurIPS 2020, eq. 2 (L_out), on region embeddings as in Sun et al., "FSCE",
CVPR 2021, and Kim and An, "Contrast-Guided Cross-Modal Distillation for Thermal Object Detection", arXiv 2511.01435:

    L = mean over i with |P(i)| > 0 of  -1 / |P(i)|  sum over p in P(i) of  ln( exp(z_i z_p / tau) / sum over a != i of
        exp(z_i z_a / tau) ),      P(i) = { j != i : y_j = y_i }

FSCE's code divides by |P(i)| + 1; this is the original.
"""

from __future__ import annotations

import torch
from torch import nn

from training.losses.detection import box_iou

BACKGROUND = -1
"""Label of an embedding that is nobody's positive: it stands in the denominators only."""


def supervised_contrast(embeddings: torch.Tensor, labels: torch.Tensor, temperature: float = 0.2,
                        others: torch.Tensor | None = None, other_labels: torch.Tensor | None = None) -> torch.Tensor:
    """The loss above, a scalar.

    Args:
        embeddings: (N, D), of length 1.
        labels: (N,) int64; BACKGROUND rows are negatives of all, never anchors.
        temperature: tau.
        others: (M, D) remembered embeddings, further positives and negatives without gradient, with ``other_labels``.

    Zero, still connected to the graph, where no row has a positive or nothing has a negative.
    """
    keys, key_labels = embeddings, labels
    if others is not None and other_labels is not None:
        keys, key_labels = torch.cat([embeddings, others.detach()]), torch.cat([labels, other_labels])
    itself = torch.eye(len(labels), len(key_labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == key_labels[None, :]) & ~itself
    positive = same & (labels[:, None] != BACKGROUND)
    count = positive.sum(1)
    anchor = count > 0
    if not anchor.any() or (key_labels == key_labels[0]).all():
        return embeddings.sum() * 0.0
    logits = (embeddings[anchor] @ keys.T / temperature).masked_fill(itself[anchor], -torch.inf)
    log_probability = logits - logits.logsumexp(1, keepdim=True)
    chosen = torch.where(positive[anchor], log_probability, torch.zeros_like(log_probability))
    return -(chosen.sum(1) / count[anchor]).mean()


def capped(labels: torch.Tensor, most: int, generator: torch.Generator) -> torch.Tensor:
    """Indices of a random subset of ``labels`` (N,) with at most ``most`` of each class, ascending."""
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    kept = [order[labels[order] == label][:most] for label in labels.unique()]
    return torch.cat(kept).sort().values if kept else order


def jittered(boxes: torch.Tensor, count: int, generator: torch.Generator, least_iou: float = 0.7) -> torch.Tensor:
    """``count`` moved copies of each box (K, 4) with an IoU of at least ``least_iou``: (K * count, 4), box by box."""
    source = boxes.repeat_interleave(count, 0)
    size = (source[:, 2:] - source[:, :2]).repeat(1, 2)
    noise = (torch.rand(source.shape, generator=generator).to(boxes) - 0.5) * 0.5 * size
    for _ in range(12):
        far = _aligned_iou(source, source + noise) < least_iou
        noise[far] *= 0.7
    noise[_aligned_iou(source, source + noise) < least_iou] = 0.0
    return source + noise


def background(boxes: torch.Tensor, count: int, size: tuple[int, int], generator: torch.Generator,
               most_iou: float = 0.3) -> torch.Tensor:
    """Up to ``count`` boxes of one image that overlap every box (K, 4) by less than ``most_iou``: (<= count, 4).

    They have the sizes of ``boxes``, lie inside the image of ``size`` (height, width), and none of them holds more than
    ``most_iou`` of its own area inside a box, so that no part of an object is called background.
    """
    if not len(boxes) or not count:
        return boxes[:0]
    pick = torch.randint(len(boxes), (4 * count,), generator=generator).to(boxes.device)
    limit = torch.tensor([size[1], size[0]]).to(boxes)
    extent = torch.minimum(boxes[pick, 2:] - boxes[pick, :2], limit)
    corner = torch.rand(4 * count, 2, generator=generator).to(boxes) * (limit - extent)
    found = torch.cat([corner, corner + extent], 1)
    low, high = torch.maximum(found[:, None, :2], boxes[None, :, :2]), torch.minimum(found[:, None, 2:],
                                                                                   boxes[None, :, 2:])
    covered = (high - low).clamp(min=0).prod(-1) / extent.prod(-1, keepdim=True)
    free = (covered < most_iou).all(1) & (box_iou(found, boxes) < most_iou).all(1)
    return found[free][:count]


def _aligned_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)
    return inter / ((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter).clamp(min=1e-9)


class EmbeddingQueue(nn.Module):
    """The last ``size`` embeddings of every class, so that rare classes have positives in every batch.

    Its buffers belong to a training state; they have no gradient.
    """

    store: torch.Tensor
    filled: torch.Tensor

    def __init__(self, classes: int, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("store", torch.zeros(classes, size, width))
        self.register_buffer("filled", torch.zeros(classes, dtype=torch.long))

    @torch.no_grad()
    def push(self, embeddings: torch.Tensor, labels: torch.Tensor) -> None:
        """Remember rows (N, width) with labels (N,); the oldest of their class go, and BACKGROUND rows are skipped."""
        size = self.store.shape[1]
        for label in labels[labels >= 0].unique().tolist():
            fresh = embeddings[labels == label].to(self.store)[-size:]
            self.store[label] = torch.cat([fresh, self.store[label]])[:size]
            self.filled[label] = min(size, int(self.filled[label]) + len(fresh))

    def content(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What is remembered: rows (M, width), newest first within a class, and labels (M,)."""
        slot = torch.arange(self.store.shape[1], device=self.store.device)
        label, place = (slot[None, :] < self.filled[:, None]).nonzero(as_tuple=True)
        return self.store[label, place], label
