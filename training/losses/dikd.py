"""Dual-injected knowledge distillation between a visible-light teacher and a thermal network of the same architecture.

After Tong et al., "Lightweight Facial Landmark Detection in Thermal Images via Multi-Level Cross-Modal Knowledge
Transfer", arXiv 2510.11128, 2025. The paper publishes no code; what it leaves open is a switch here:

    L = l(H_t(F_t), y_t) + w(e) * (a * L_FI + b * L_RI)
    L_FI = l(H_t(F_r), y_r)   forward injection: visible features in the thermal head; gradient reaches H_t alone
    L_RI = l(H_r(F_t), y_t)   reverse injection: thermal features in the frozen visible head; gradient reaches E_t alone

Forward injection can also mix both features or add visible ones to thermal ones, and either can bring features to the
scale of the head that they enter,

with encoders E and heads H, features F = E(x), a task loss l and a decaying weight w. Beside it the two distillations
that the paper compares with: of features (FD) and of predictions (LD).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import nn

from training.losses.pyramid_alignment import pkd, standardise

Features = Sequence[torch.Tensor]
Prediction = tuple[torch.Tensor, torch.Tensor]
INJECTIONS = ("swap", "mix", "add")


class SplitNetwork(Protocol):
    """A network that can be cut between encoder and head."""

    def encode(self, crops: torch.Tensor) -> Features:
        """Images to features (B, C, H, W) of one or more levels."""

    def predict(self, features: Features) -> Prediction:
        """Features to points (B, K, 2) and sigma (B, K)."""

    def head(self) -> Sequence[nn.Module]:
        """The modules that ``predict`` uses."""


def freeze(teacher: nn.Module) -> None:
    """Make a network a teacher: evaluation mode, no gradients for its weights (which still pass through it)."""
    teacher.eval()
    teacher.requires_grad_(False)


def forward_injection(student: SplitNetwork, visible: Features, thermal: Features, form: str = "swap",
                      keep: float = 0.5, gain: float = 1.0, bridge: bool = False) -> Prediction:
    """What the thermal head makes of visible-light features; its gradient reaches the thermal head alone.

    The head's batch norms normalise by this batch but do not remember it: the running statistics that inference uses
    stay those of thermal features.

    Args:
        visible, thermal: features of the teacher and of the student for the same faces.
        form: ``swap`` puts the visible features in, ``mix`` the sum keep * thermal + (1 - keep) * visible, ``add`` the
            sum thermal + gain * visible.
        bridge: whether the visible features are brought to the scale of the thermal ones first (``bridged``).
    """
    if form not in INJECTIONS:
        raise ValueError(f"injection '{form}' is none of {', '.join(INJECTIONS)}")
    own, injected = [level.detach() for level in thermal], [level.detach() for level in visible]
    if bridge:
        injected = [bridged(level, home) for level, home in zip(injected, own, strict=True)]
    if form == "mix":
        injected = [keep * home + (1 - keep) * level for home, level in zip(own, injected, strict=True)]
    elif form == "add":
        injected = [home + gain * level for home, level in zip(own, injected, strict=True)]
    with running_statistics_kept(student.head()):
        return student.predict(injected)


def reverse_injection(teacher: SplitNetwork, thermal: Features, visible: Features | None = None) -> Prediction:
    """What the frozen visible-light head makes of thermal features; its gradient reaches the thermal encoder alone.

    Args:
        teacher: frozen by ``freeze``; it must not run under ``torch.no_grad``.
        thermal: the student's features, with their graph.
        visible: with the teacher's own features for the batch, the student's are brought to their scale first
            (``bridged``).
    """
    if any(p.requires_grad for module in teacher.head() for p in module.parameters()):
        raise ValueError("the teacher's head is not frozen: call freeze(teacher) first")
    if visible is not None:
        thermal = [bridged(own, level) for own, level in zip(thermal, visible, strict=True)]
    return teacher.predict(thermal)


def bridged(features: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """``features`` (N, C, H, W) with each channel's mean and standard deviation over (N, H, W) set to ``reference``'s.

    As CrossKD aligns scales before a foreign head (Wang et al., "CrossKD", CVPR 2024). Float32 or better: the mean of
    a batch in bfloat16 is off by a part of the deviation.
    """
    if features.dtype != torch.float64:
        features, reference = features.float(), reference.float()
    return (standardise(features) * reference.detach().std((0, 2, 3), correction=0, keepdim=True)
            + reference.detach().mean((0, 2, 3), keepdim=True))


def feature_distillation(student: Features, teacher: Features) -> torch.Tensor:
    """FD: half the mean squared difference of standardised channels, mean over levels; gradient to the student alone.

    Equals 1 - Pearson's correlation of each channel: PKD, Cao et al., NeurIPS 2022. Levels (N, C, H, W) must agree.
    """
    losses = []
    for own, level in zip(student, teacher, strict=True):
        if own.shape != level.shape:
            raise ValueError(f"features of {tuple(own.shape)} and {tuple(level.shape)} need an adapter")
        losses.append(pkd(own, level))
    return torch.stack(losses).mean()


@contextmanager
def running_statistics_kept(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Within, batch norms in training mode normalise by the batch without changing their running statistics."""
    norms = [m for module in modules for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [norm.track_running_stats for norm in norms]
    buffers = [(norm.running_mean, norm.running_var) for norm in norms]
    for norm in norms:
        if norm.training:
            norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
    try:
        yield
    finally:
        for norm, track, (mean, var) in zip(norms, before, buffers, strict=True):
            norm.track_running_stats, norm.running_mean, norm.running_var = track, mean, var
