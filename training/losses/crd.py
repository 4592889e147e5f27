"""Contrastive representation distillation: Tian et al., ICLR 2020, eq. 18, noise-contrastive form.

    P(a, b) = exp(a b / tau) / Z,   Pn = 1 / n
    L = -1/N sum over i of [ ln( P+ / (P+ + m Pn) ) + sum over k of ln( m Pn / (P-_k + m Pn) ) ]

with one positive (the same object in the teacher) and m negatives (other objects). Z is the mean of exp(a b / tau) over
the batch times n, without gradient; the original fixes the mean of the first batch.
"""

from __future__ import annotations

import math

import torch


def crd(student: torch.Tensor, teacher: torch.Tensor, negatives: torch.Tensor | None = None, temperature: float = 0.07
        ) -> torch.Tensor:
    """The loss with the student's rows as anchors plus that with the teacher's rows, a scalar.

    Args:
        student: (N, D) embeddings of length 1.
        teacher: (N, D) embeddings of length 1 of the same objects, in the same order.
        negatives: (M, D) remembered embeddings of the teacher, negatives of every student row; no gradient.
        temperature: tau.

    The negatives of row i are all other rows of the other side. Zero, connected to the graph, without negatives.
    """
    forward = _noise_contrast(student, teacher if negatives is None else torch.cat([teacher, negatives.detach()]),
                              temperature)
    return forward + _noise_contrast(teacher, student, temperature)


def _noise_contrast(anchors: torch.Tensor, keys: torch.Tensor, temperature: float) -> torch.Tensor:
    """Row i of ``keys`` is the positive of anchor i, all other rows are its negatives."""
    n, m = len(keys), len(keys) - 1
    if not len(anchors) or m < 1:
        return (anchors.sum() + keys.sum()) * 0.0
    logits = anchors @ keys.T / temperature
    log_normaliser = logits.detach().logsumexp((0, 1)) - math.log(logits.numel()) + math.log(n)
    log_p = logits - log_normaliser
    log_noise = torch.full_like(log_p, math.log(m / n))
    both = torch.logaddexp(log_p, log_noise)
    itself = torch.eye(len(anchors), n, dtype=torch.bool, device=anchors.device)
    return -(torch.where(itself, log_p, log_noise) - both).sum() / len(anchors)
