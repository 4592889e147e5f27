"""Wasserstein contrastive representation distillation: Chen et al., CVPR 2021, arXiv 2012.08674.

Dual form, global: a critic g of Lipschitz constant 1 is high for paired embeddings and low for unpaired ones,

    L_dual = -( E over pairs of g(t_i, s_i) - M E over i != j of g(t_i, s_j) )

minimised by critic and student together (it bounds how much the two share from below). Primal form, local: entropic
optimal transport within a batch,

    L_primal = sum Pi_ij c(t_i, s_j),   c = 1 - cosine,   Pi = argmin of sum Pi_ij c_ij + eps sum Pi_ij ln Pi_ij

over plans Pi whose rows and columns add up to 1 / N each.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class Critic(nn.Module):
    """g: two embeddings of width D to a scalar, each linear layer of spectral norm 1, ReLU between them."""

    def __init__(self, width: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(spectral_norm(nn.Linear(2 * width, hidden)), nn.ReLU(),
                                    spectral_norm(nn.Linear(hidden, 1)))

    def forward(self, teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
        """(..., D) and (..., D) to (...)."""
        return self.layers(torch.cat([teacher, student], -1))[..., 0]


def dual(scores: torch.Tensor, unpaired_weight: float = 1.0) -> torch.Tensor:
    """L_dual, a scalar, from the critic's ``scores`` (N, N) of each teacher row with each student row; M is the weight.

    Zero, connected to the graph, for fewer than two rows.
    """
    n = len(scores)
    if n < 2:
        return scores.sum() * 0.0
    paired = scores.diagonal().sum()
    return -(paired / n - unpaired_weight * (scores.sum() - paired) / (n * (n - 1)))


def primal(student: torch.Tensor, teacher: torch.Tensor, epsilon: float = 0.05, iterations: int = 50) -> torch.Tensor:
    """L_primal, a scalar: transport cost of (N, D) rows onto (N, D) rows by Sinkhorn's iteration in logarithms.

    The plan is held fixed for the gradient, which is then that of the regularised cost (envelope theorem); no gradient
    to the teacher. Zero, connected to the graph, for no rows.
    """
    n = len(student)
    if not n:
        return student.sum() * 0.0
    cost = 1 - nn.functional.normalize(teacher.detach(), dim=1) @ nn.functional.normalize(student, dim=1).T
    return (transport_plan(cost.detach(), epsilon, iterations) * cost).sum()


def transport_plan(cost: torch.Tensor, epsilon: float, iterations: int) -> torch.Tensor:
    """Sinkhorn's plan (N, M) for a cost (N, M) between uniform weights (Cuturi, NeurIPS 2013)."""
    n, m = cost.shape
    kernel = -cost / epsilon
    rows, columns = kernel.new_zeros(n), kernel.new_zeros(m)
    for _ in range(iterations):
        rows = -math.log(n) - torch.logsumexp(kernel + columns[None, :], 1)
        columns = -math.log(m) - torch.logsumexp(kernel + rows[:, None], 0)
    return (kernel + rows[:, None] + columns[None, :]).exp()
