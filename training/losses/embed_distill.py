"""Embedding matching: Kim et al., "EmbedDistill", arXiv 2301.12005, on the features of objects instead of queries.

    L = 1/N sum over objects of || proj(e_s) - e_t ||

e are the features of one object in student and teacher, proj is learned with the student.
"""

from __future__ import annotations

import torch


def embed_distill(projected: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean distance of projected student rows (N, D) to teacher rows (N, D), a scalar; no gradient to the teacher.

    Zero, connected to the graph, for no rows.
    """
    if not len(projected):
        return projected.sum() * 0.0
    # The root has no gradient at 0, where student and teacher agree.
    return ((projected - teacher.detach()).square().sum(1) + 1e-12).sqrt().mean()
