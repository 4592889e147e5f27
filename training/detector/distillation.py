"""What shapes a student's features while it trains, and is gone afterwards: contrast of objects, guidance by a teacher.

    total = detection + lambda_rcs(t) contrast + lambda_cms(t) alignment + lambda_method comparison

after Kim and An, "Contrast-Guided Cross-Modal Distillation for Thermal Object Detection", arXiv 2511.01435. The modules
here hold all weights that serve training alone; a model file is written from the detector, which does not know them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from thermal_kd_ros.models.detector import Detector
from thermal_kd_ros.models.specs import DetectorSpec
from training.detector.comparison import METHODS
from training.losses.detection import Targets
from training.losses.pyramid_alignment import ALIGN, REGIONS, pyramid_alignment
from training.losses.roi_contrast import BACKGROUND, EmbeddingQueue, background, capped, jittered, supervised_contrast
from training.losses.rois import pooled, rois_of
from training.options import check_number


@dataclass(frozen=True)
class DistillConfig:
    """Weights and switches of the training-only losses; all are off by default."""

    lambda_rcs: float = 0.0
    """Weight of the contrast between objects; 0 leaves it out."""
    lambda_cms: float = 0.0
    """Weight of the alignment with a teacher's pyramid; 0 leaves it out."""
    teacher: str = ""
    """Teacher's model file; it says itself whether it looks at the visible or the thermal image."""
    align: str = "pkd"
    """``pkd``, ``mse``, ``cosine`` or ``frequency``, see losses/pyramid_alignment.py."""
    region: str = "full"
    """``full``, ``mask`` or ``roi``."""
    levels: tuple[float, ...] = ()
    """Weight of each level of the pyramid in the alignment, fine to coarse, 0 leaves it out; empty: all alike."""
    adapter: bool = False
    """A 1x1 convolution before the alignment on levels of equal width too; other levels always have one."""
    method: str = ""
    """A loss to compare with: ``ckd``, ``crd``, ``wcord``, ``gkd``, ``embed``, ``cwd`` or ``crosskd``."""
    lambda_method: float = 0.0
    """Weight of that loss."""
    memory: int = 512
    """Objects of earlier batches that ``crd`` contrasts with, besides those of the batch; 0: none."""
    warmup: float = 0.05
    """Part of the training over which the weights of alignment and comparison loss grow from 0."""
    rcs_decay: tuple[float, ...] = (0.4, 0.67)
    """Parts of the training after which the contrast's weight is halved, as in FSCE."""
    temperature: float = 0.2
    width: int = 128
    """Width of the contrast's embeddings."""
    cap: int = 32
    """Most objects of one class that a batch's contrast takes."""
    jitter: int = 0
    """Moved copies (IoU >= 0.7) of each object, further positives."""
    background: int = 0
    """Boxes per image beside all objects (IoU < 0.3), negatives of every class."""
    queue: int = 0
    """Embeddings of earlier batches kept per class."""

    def check(self) -> None:
        """Raise ValueError for values that do not go together."""
        if self.align not in ALIGN or self.region not in REGIONS:
            raise ValueError(f"align is one of {', '.join(ALIGN)} and region one of {', '.join(REGIONS)}, not "
                             f"'{self.align}' and '{self.region}'")
        for i, weight in enumerate(self.levels):
            check_number(f"distill.levels[{i}]", weight, 0)
        if self.levels and not any(self.levels):
            raise ValueError("distill.levels leaves every level out: set distill.lambda_cms to 0 instead")
        for name in ("lambda_rcs", "lambda_cms", "lambda_method", "warmup", "memory", "jitter", "background", "queue"):
            check_number(f"distill.{name}", getattr(self, name), 0)
        for name, least in (("temperature", 1e-3), ("cap", 1), ("width", 1)):
            check_number(f"distill.{name}", getattr(self, name), least)
        if self.method and self.method not in METHODS:
            raise ValueError(f"unknown comparison loss '{self.method}'; known: {', '.join(METHODS)}")
        if (self.lambda_method > 0) != bool(self.method):
            raise ValueError("method names a loss and lambda_method is its weight: one without the other does nothing; "
                             "give both, such as method=cwd and lambda_method=0.2")
        if self.needs_teacher and not self.teacher:
            raise ValueError("lambda_cms and lambda_method need a teacher: give its model file")
        if self.teacher and not self.needs_teacher:
            raise ValueError("a teacher without lambda_cms or lambda_method teaches nothing: give one of these weights")

    @property
    def needs_teacher(self) -> bool:
        """Whether a teacher takes part."""
        return self.lambda_cms > 0 or self.lambda_method > 0

    def rcs_weight(self, progress: float) -> float:
        """The contrast's weight at a part ``progress`` in [0, 1] of the training."""
        return self.lambda_rcs * 0.5 ** sum(progress >= at for at in self.rcs_decay)

    def guidance_ramp(self, progress: float) -> float:
        """The factor of the weights that belong to the teacher, from 0 to 1."""
        return min(1.0, progress / self.warmup) if self.warmup > 0 else 1.0


class RoiContrast(nn.Module):
    """Embeds the objects of a batch and contrasts their classes."""

    def __init__(self, config: DistillConfig, student: DetectorSpec) -> None:
        super().__init__()
        self.config, self.strides = config, student.strides
        self.project = nn.ModuleList(
            nn.Sequential(nn.Linear(c, c), nn.ReLU(), nn.Linear(c, config.width)) for c in student.pyramid_channels)
        self.queue = EmbeddingQueue(student.classes, config.queue, config.width) if config.queue else None

    def forward(self, levels: list[torch.Tensor], targets: Targets, size: tuple[int, int], generator: torch.Generator
                ) -> torch.Tensor:
        """The contrast of a batch, a scalar; ``size`` is (height, width) of the input, ``generator`` draws boxes."""
        rois, labels = self.boxes(targets, size, generator)
        embeddings = levels[0].new_zeros((len(rois), self.config.width), dtype=torch.float32)
        for project, (index, features) in zip(self.project, pooled(levels, rois, self.strides), strict=True):
            embeddings = embeddings.index_add(0, index, project(features))
        embeddings = nn.functional.normalize(embeddings, dim=1)
        others = self.queue.content() if self.queue is not None else (None, None)
        loss = supervised_contrast(embeddings, labels, self.config.temperature, *others)
        if self.queue is not None and self.training:
            self.queue.push(embeddings.detach(), labels)
        return loss

    @torch.no_grad()
    def boxes(self, targets: Targets, size: tuple[int, int], generator: torch.Generator
              ) -> tuple[torch.Tensor, torch.Tensor]:
        """The rois (K, 5) that take part and their labels (K,): capped objects, copies of them, background."""
        rois, labels = rois_of(targets)
        kept = capped(labels, self.config.cap, generator)
        rois, labels = rois[kept], labels[kept]
        all_rois, all_labels = [rois], [labels]
        if self.config.jitter:
            copies = jittered(rois[:, 1:], self.config.jitter, generator)
            all_rois.append(torch.cat([rois[:, :1].repeat_interleave(self.config.jitter, 0), copies], 1))
            all_labels.append(labels.repeat_interleave(self.config.jitter))
        if self.config.background:
            for image in range(len(targets.boxes)):
                # Ignore regions are no background either, nor is anything where a class may stand unlabelled.
                if targets.labelled[image].all():
                    found = background(targets.boxes[image][targets.labels[image] > -2], self.config.background, size,
                                       generator)
                    all_rois.append(torch.cat([torch.full_like(found[:, :1], image), found], 1))
                    all_labels.append(torch.full((len(found),), BACKGROUND, device=labels.device))
        return torch.cat(all_rois), torch.cat(all_labels)


class Adapters(nn.ModuleList):
    """The student's levels at the teacher's widths: a 1x1 convolution where they differ, or on every level."""

    def __init__(self, student: tuple[int, ...], teacher: tuple[int, ...], always: bool) -> None:
        super().__init__(nn.Conv2d(a, b, 1) if always or a != b else nn.Identity()
                         for a, b in zip(student, teacher, strict=True))

    def forward(self, levels: list[torch.Tensor]) -> list[torch.Tensor]:
        """One map per level, float32."""
        return [adapt(level.float()) for adapt, level in zip(self, levels, strict=True)]


class Distillation(nn.Module):
    """All training-only losses of an experiment for one student, with the weights that they need."""

    def __init__(self, config: DistillConfig, student: Detector, teacher: Detector | None = None) -> None:
        super().__init__()
        spec = student.spec
        self.config, self.strides = config, spec.strides
        self.contrast = RoiContrast(config, spec) if config.lambda_rcs else None
        self.adapters: Adapters | None = None
        self.comparison: nn.Module | None = None
        if teacher is not None:
            if config.lambda_cms:
                if config.levels and len(config.levels) != len(spec.strides):
                    raise ValueError(f"distill.levels {list(config.levels)}: give a weight for each of the strides "
                                     f"{', '.join(map(str, spec.strides))}")
                self.adapters = Adapters(spec.pyramid_channels, teacher.spec.pyramid_channels, config.adapter)
            if config.lambda_method:
                memory = {"memory": config.memory} if config.method == "crd" else {}
                self.comparison = METHODS[config.method](student, teacher, **memory)

    def forward(self, levels: list[torch.Tensor], goal: list[torch.Tensor] | None, targets: Targets,
                size: tuple[int, int], progress: float, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """The losses that take part, weighted, by name.

        Args:
            levels: the student's pyramid.
            goal: the frozen teacher's pyramid for registered images, if there is a teacher.
            targets: of the batch.
            size: (height, width) of the images.
            progress: part of the training that is done, in [0, 1].
            generator: draws boxes for the contrast, on the CPU.
        """
        losses: dict[str, torch.Tensor] = {}
        if self.contrast is not None:
            losses["rcs"] = self.config.rcs_weight(progress) * self.contrast(levels, targets, size, generator)
        if goal is None:
            return losses
        ramp = self.config.guidance_ramp(progress)
        rois, _ = rois_of(targets)
        if self.adapters is not None:
            aligned = pyramid_alignment(self.adapters(levels), goal, self.strides, rois, self.config.align,
                                        self.config.region, self.config.levels or None)
            losses["cms"] = ramp * self.config.lambda_cms * aligned
        if self.comparison is not None:
            losses[self.config.method] = ramp * self.config.lambda_method * self.comparison(levels, goal, rois)
        return losses
