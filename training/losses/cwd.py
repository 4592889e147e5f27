"""Channel-wise distillation: Shu et al., ICCV 2021, eq. 3 and 4.

With phi(y)_i = exp(y_i / T) / sum over cells j of exp(y_j / T) for each channel:

    L = T^2 / C  sum over channels c and cells i of  phi(t_c)_i ln( phi(t_c)_i / phi(s_c)_i ),   mean over images

The shape of each channel counts, not its height.
"""

from __future__ import annotations

import torch


def cwd(student: torch.Tensor, teacher: torch.Tensor, temperature: float = 4.0) -> torch.Tensor:
    """The loss for (B, C, H, W) maps, a scalar; no gradient to the teacher."""
    mine = (student.flatten(2) / temperature).log_softmax(-1)
    goal = (teacher.detach().flatten(2) / temperature).log_softmax(-1)
    divergence = (goal.exp() * (goal - mine)).sum(-1)
    return temperature ** 2 * divergence.mean()
