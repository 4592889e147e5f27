"""From a batch to the losses of a training step: the network, its detection loss, and what a teacher adds."""

from __future__ import annotations

import torch
from torch import nn

from thermal_kd_ros.models.detector import Detector, cells
from training.detector.distillation import Distillation
from training.detector.experiment import Experiment
from training.distributed import mean_over_processes
from training.losses.detection import Targets, detection_loss

THERMAL, VISIBLE = slice(0, 1), slice(1, 4)
"""Planes of a mixture's images."""


def planes(modality: str) -> slice:
    """Which planes a network of a modality looks at."""
    return VISIBLE if modality == "visible" else THERMAL


class Objective(nn.Module):
    """A network in training with the training-only modules beside it; one call gives all losses of a batch.

    The frozen teacher is no submodule: none of its tensors is a parameter, a buffer or part of a state here.
    """

    def __init__(self, experiment: Experiment, detector: Detector, teacher: Detector | None = None,
                 teacher_modality: str = "visible") -> None:
        super().__init__()
        self.experiment, self.detector = experiment, detector
        self.distillation = Distillation(experiment.distill, detector, teacher)
        self._teacher = (teacher,)
        self._own, self._others = planes(experiment.modality), planes(teacher_modality)

    def forward(self, images: torch.Tensor, targets: Targets, step: int, total: int) -> dict[str, torch.Tensor]:
        """Losses by name and their sum ``total``, scalars.

        Args:
            images: (B, 1 or 4, H, W): thermal, then red green blue if something here looks at them.
            targets: of the batch.
            step: number of the step in the run, which also seeds what is drawn at random.
            total: steps of the run.
        """
        size = (images.shape[2], images.shape[3])
        teacher, goal = self._teacher[0], None
        precision = torch.float16 if images.is_cuda else torch.bfloat16
        with torch.autocast(images.device.type, precision):
            levels = self.detector.pyramid(images[:, self._own].contiguous(memory_format=torch.channels_last))
            logits, sides = self.detector.predict(levels)
            if teacher is not None:
                with torch.no_grad():
                    goal = teacher.pyramid(images[:, self._others].contiguous(memory_format=torch.channels_last))
        centres, strides = cells(*size, self.detector.spec.strides, images.device)
        losses = detection_loss(logits, sides, centres, strides, targets, self.experiment.loss,
                                mean_over_processes)
        generator = torch.Generator().manual_seed(self.experiment.seed * 1_000_003 + step)
        extra = self.distillation(levels, goal, targets, size, step / max(1, total), generator)
        return {**losses, **extra, "total": losses["total"] + sum(extra.values())}
