"""Other distillation losses, fitted to a detector's pyramid, to compare with.

Each is a module called with the student's levels, the frozen teacher's levels and the objects' rois (K, 5); it returns
a scalar. The losses themselves, with their papers, are in training/losses.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from thermal_kd_ros.models.detector import Detector, cells, decode_boxes
from training.losses.ckd import content, style
from training.losses.crd import crd
from training.losses.crosskd import align_scale, box_overlap, quality_focal
from training.losses.cwd import cwd
from training.losses.embed_distill import embed_distill
from training.losses.gkd import gkd, tokens
from training.losses.roi_contrast import EmbeddingQueue
from training.losses.rois import pooled
from training.losses.wcord import Critic, dual, primal


class _Maps(nn.Module):
    """The student's maps at the teacher's widths, by 1x1 convolutions."""

    def __init__(self, student: Detector, teacher: Detector) -> None:
        super().__init__()
        self.adapt = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(
            student.spec.pyramid_channels, teacher.spec.pyramid_channels, strict=True))

    def pairs(self, levels: list[torch.Tensor], goal: list[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Student's and teacher's map of each level, alike in shape."""
        return [(adapt(level.float()), other.float())
                for adapt, level, other in zip(self.adapt, levels, goal, strict=True)]


class Ckd(_Maps):
    """Style and content, with the paper's weights."""

    def forward(self, levels: list[torch.Tensor], goal: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """See the module."""
        return torch.stack([0.01 * style(a, b) + 0.1 * content(a, b) for a, b in self.pairs(levels, goal)]).mean()


class Cwd(_Maps):
    """Channel-wise distributions."""

    def forward(self, levels: list[torch.Tensor], goal: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """See the module."""
        return torch.stack([cwd(a, b) for a, b in self.pairs(levels, goal)]).mean()


class Gkd(nn.Module):
    """Query-based soft distillation of every level's cells."""

    def __init__(self, student: Detector, teacher: Detector) -> None:
        super().__init__()
        widths = list(zip(student.spec.pyramid_channels, teacher.spec.pyramid_channels, strict=True))
        self.query = nn.ParameterList(nn.Linear(a, b, bias=False).weight for a, b in widths)
        self.value = nn.ParameterList(nn.Linear(a, b, bias=False).weight for a, b in widths)

    def forward(self, levels: list[torch.Tensor], goal: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """See the module."""
        parts = [gkd(tokens(level.float()), tokens(other.float()), query, value)
                 for level, other, query, value in zip(levels, goal, self.query, self.value, strict=True)]
        return torch.stack(parts).mean()


class _Objects(nn.Module):
    """Embeddings of the objects in student and teacher, from linear layers on each level's pooled features."""

    def __init__(self, student: Detector, teacher: Detector, width: int, project_teacher: bool) -> None:
        super().__init__()
        self.strides, self.width = student.spec.strides, width
        self.student = nn.ModuleList(nn.Linear(c, width) for c in student.spec.pyramid_channels)
        self.teacher = nn.ModuleList(nn.Linear(c, width) for c in teacher.spec.pyramid_channels) \
            if project_teacher else None

    def embed(self, layers: nn.ModuleList, levels: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """(K, width) of length 1."""
        rows = levels[0].new_zeros((len(rois), self.width), dtype=torch.float32)
        for layer, (index, features) in zip(layers, pooled(levels, rois, self.strides), strict=True):
            rows = rows.index_add(0, index, layer(features))
        return F.normalize(rows, dim=1)

    def both(self, levels: list[torch.Tensor], goal: list[torch.Tensor], rois: torch.Tensor
             ) -> tuple[torch.Tensor, torch.Tensor]:
        """Student's and teacher's embeddings of the same objects."""
        assert self.teacher is not None
        return self.embed(self.student, levels, rois), self.embed(self.teacher, goal, rois)


class Crd(_Objects):
    """Contrast of student and teacher embeddings of one object against other objects: those of the batch, and the
    teacher's last ``memory`` ones of earlier batches.

    The paper remembers 16384 of CIFAR's 50000 images and updates them slowly. Here the newest are kept as they were; a
    memory longer than an epoch has objects would hold each object among its own negatives.
    """

    def __init__(self, student: Detector, teacher: Detector, memory: int = 0) -> None:
        super().__init__(student, teacher, 128, project_teacher=True)
        self.queue = EmbeddingQueue(1, memory, 128) if memory else None

    def forward(self, levels: list[torch.Tensor], goal: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """See the module."""
        mine, other = self.both(levels, goal, rois)
        loss = crd(mine, other, None if self.queue is None else self.queue.content()[0])
        if self.queue is not None and self.training:
            self.queue.push(other.detach(), torch.zeros(len(other), dtype=torch.long, device=other.device))
        return loss


class Wcord(_Objects):
    """Both Wasserstein forms, equally weighted."""

    def __init__(self, student: Detector, teacher: Detector) -> None:
        super().__init__(student, teacher, 128, project_teacher=True)
        self.critic = Critic(128)

    def forward(self, levels: list[torch.Tensor], goal: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """See the module."""
        s, t = self.both(levels, goal, rois)
        scores = self.critic(t[:, None].expand(-1, len(s), -1), s[None].expand(len(t), -1, -1))
        return dual(scores) + primal(s, t)


class Embed(_Objects):
    """Projected student features of an object against the teacher's own."""

    def __init__(self, student: Detector, teacher: Detector) -> None:
        super().__init__(student, teacher, max(teacher.spec.pyramid_channels), project_teacher=False)

    def forward(self, levels: list[torch.Tensor], goal: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """See the module."""
        rows, goals = [], []
        for layer, (_, mine), (_, other) in zip(self.student, pooled(levels, rois, self.strides),
                                                pooled(goal, rois, self.strides), strict=True):
            rows.append(layer(mine))
            goals.append(F.pad(other, (0, self.width - other.shape[1])))
        return embed_distill(torch.cat(rows), torch.cat(goals))


class CrossKd(nn.Module):
    """The student's head features through the last layers of the teacher's frozen heads."""

    def __init__(self, student: Detector, teacher: Detector) -> None:
        super().__init__()
        self._nets = (student, teacher)
        widths = list(zip(student.spec.pyramid_channels, teacher.spec.pyramid_channels, strict=True))
        self.adapt = nn.ModuleList(nn.Identity() if a == b else nn.Conv2d(a, b, 1) for a, b in widths)

    def forward(self, levels: list[torch.Tensor], goal: list[torch.Tensor], rois: torch.Tensor) -> torch.Tensor:
        """See the module."""
        student, teacher = self._nets
        size = (levels[0].shape[2] * student.spec.strides[0], levels[0].shape[3] * student.spec.strides[0])
        centres, strides = cells(*size, student.spec.strides, levels[0].device)
        with torch.no_grad():
            teacher_logits, teacher_sides = (x.float() for x in teacher.predict([level.float() for level in goal]))
        logits: list[torch.Tensor] = []
        sides: list[torch.Tensor] = []
        for i, (level, other, adapt) in enumerate(zip(levels, goal, self.adapt, strict=True)):
            for branch, rows in (("classify", logits), ("regress", sides)):
                # Before their activations, because a change of scale would lead where an activation never does.
                block, last = getattr(teacher.heads[i], branch)
                mine = _unactivated(getattr(student.heads[i], branch)[0], level.float())
                with torch.no_grad():
                    theirs = _unactivated(block, other.float())
                crossed = last(block[2](align_scale(adapt(mine.float()), theirs.float())))
                rows.append(crossed.float().flatten(2).transpose(1, 2))
        crossed_logits = torch.cat(logits, 1)
        crossed_sides = torch.cat(sides, 1).unflatten(2, (4, teacher.spec.bins))
        boxes = decode_boxes(crossed_sides, centres, strides)
        goal_boxes = decode_boxes(teacher_sides, centres, strides)
        return quality_focal(crossed_logits, teacher_logits) + box_overlap(boxes, goal_boxes, teacher_logits)


def _unactivated(block: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """A ConvBlock's output before its activation."""
    convolution, norm, _ = block
    return norm(convolution(x))


METHODS = {"ckd": Ckd, "crd": Crd, "wcord": Wcord, "gkd": Gkd, "embed": Embed, "cwd": Cwd, "crosskd": CrossKd}
"""Comparison losses by the name that an experiment gives."""
