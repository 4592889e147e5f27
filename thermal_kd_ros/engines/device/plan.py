"""The memory and the captured steps for one shape of input."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from .graphs import Runner, Step
from .steps import FACE_FIELDS, OBJECT_FIELDS, Dense, Signature, Steps, to_tensor
from .tone import TONE_FIELDS, ToneMemory

ROUNDS = 8
"""Of suppression inside a captured step. Boxes hardly ever depend on each other over more than four or five."""


@dataclass(frozen=True)
class Chosen:
    """What was found in one frame."""

    objects: np.ndarray
    """(N, OBJECT_FIELDS) float32."""
    faces: np.ndarray
    """(F, FACE_FIELDS) float32."""
    marks: np.ndarray
    """(F, K, 3) float32: x and y in the crop's pixels, and sigma."""


class _Looked:
    """What the first step leaves on the device."""

    def __init__(self, values: torch.Tensor, dense: Dense, objects: torch.Tensor, faces: torch.Tensor,
                 enough: torch.Tensor) -> None:
        self.values, self.dense, self.objects, self.faces = values, dense, objects, faces
        self.report = torch.cat([objects.flatten(), faces.flatten(), enough])
        """All that the host must know, to be copied at once."""


class Plan:
    """Batches of one signature: two steps on the device, a small report back.

    The first step goes from pixels to boxes and face windows. The second finds landmarks, for 1, 2, 4, 8, ... faces; it
    is started at once for as many as the batch before had, so that the host waits only once. Make and use it while
    ``runner.active()``.
    """

    def __init__(self, signature: Signature, steps: Steps, memories: Sequence[ToneMemory], runner: Runner) -> None:
        self._runner, self._steps, self._memories = runner, steps, memories
        self._most = steps.most_faces
        shape = signature.batch, signature.height, signature.width
        staging = to_tensor(np.zeros(shape, signature.dtype))
        self._raw = self._pinned(staging)
        self._pixels = self._raw.numpy().view(signature.dtype)
        self._inputs = self._pinned(torch.zeros(len(memories), signature.batch, len(TONE_FIELDS), dtype=torch.float64))
        # Nothing is smoothed or stored while these zeros run; the smallest span keeps them from dividing by zero.
        self._inputs[..., TONE_FIELDS.index("min_span")] = 1.0
        self._device_raw, self._device_inputs = self._raw.to(runner.device), self._inputs.to(runner.device)
        pool = torch.cuda.graph_pool_handle() if runner.captures else None
        # Weakly: a plan that held itself by its steps would keep the device's memory until the garbage collector comes.
        me = weakref.proxy(self)
        self._look: Step[_Looked] = Step(partial(Plan._look_at, me), runner, pool)
        self._looked = self._look()
        self._marking = {count: Step(partial(Plan._mark_faces, me, count), runner, pool)
                         for count in buckets(self._most)}
        self._report = self._pinned(torch.empty(self._looked.report.shape))
        self._marks: torch.Tensor | None = None
        self._bucket = 0

    def _pinned(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor on the host that the device can read and write by itself."""
        return tensor.pin_memory() if self._runner.stream is not None else tensor

    def _look_at(self) -> _Looked:
        values = self._steps.values(self._device_raw)
        dense = self._steps.dense(values, self._device_inputs, self._memories)
        return _Looked(values, dense, *self._steps.decide(dense, ROUNDS))

    def _mark_faces(self, count: int) -> torch.Tensor:
        return self._steps.mark(self._looked.values, self._looked.faces, count)

    def run(self, images: Sequence[np.ndarray], inputs: np.ndarray) -> list[Chosen]:
        """Images (H, W) of the signature, and what ``ToneInputs`` wants of each, (tones, B, 8) float64."""
        for place, image in zip(self._pixels, images, strict=True):
            np.copyto(place, image)
        self._inputs.numpy()[:] = inputs
        self._device_raw.copy_(self._raw, non_blocking=True)
        self._device_inputs.copy_(self._inputs, non_blocking=True)
        looked = self._look()
        if not self._look.captured:
            self._looked = looked
        self._report.copy_(looked.report, non_blocking=True)
        self._mark(self._bucket)
        self._runner.wait()
        if self._report[-1] < 1.0:
            self._decide_exactly()
        objects, faces = self._read()
        needed = bucket(len(faces), self._most)
        if needed > self._bucket or self._report[-1] < 1.0:
            self._mark(needed)
            self._runner.wait()
        self._bucket = needed
        marks = self._marks.numpy()[: len(faces)].copy() if self._marks is not None and len(faces) else None
        return [_of_frame(i, objects[i], faces, marks) for i in range(len(images))]

    def _mark(self, count: int) -> None:
        """Start the landmarks of the first ``count`` faces and the copy of them to the host."""
        if not count:
            return
        marks = self._marking[count]()
        if self._marks is None:
            self._marks = self._pinned(torch.empty(self._most, *marks.shape[1:]))
        self._marks[:count].copy_(marks, non_blocking=True)

    def _decide_exactly(self) -> None:
        """Once more, with as many rounds as there are candidates: for frames crowded beyond measure."""
        objects, faces, _ = self._steps.decide(self._looked.dense, None)
        self._looked.objects.copy_(objects)
        self._looked.faces.copy_(faces)
        self._report[:-1].copy_(torch.cat([objects.flatten(), faces.flatten()]), non_blocking=True)
        self._runner.wait()

    def _read(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Detections of every frame, each (N, OBJECT_FIELDS), and all faces (F, FACE_FIELDS)."""
        report, (batch, most, _) = self._report.numpy(), self._looked.objects.shape
        split = batch * most * OBJECT_FIELDS
        objects = report[:split].reshape(batch, most, OBJECT_FIELDS)
        faces = report[split:-1].reshape(-1, FACE_FIELDS)
        return [found[found[:, -1] > 0.0] for found in objects], faces[faces[:, -1] > 0.0]


def _of_frame(index: int, objects: np.ndarray, faces: np.ndarray, marks: np.ndarray | None) -> Chosen:
    mine = faces[:, 0] == index
    return Chosen(objects, faces[mine], marks[mine] if marks is not None else np.zeros((0, 0, 3), np.float32))


def bucket(count: int, most: int) -> int:
    """For how many faces landmarks are found at once when there are ``count``: a power of two, or ``most``."""
    count = min(count, most)
    return min(1 << (count - 1).bit_length(), most) if count > 0 else 0


def buckets(most: int) -> list[int]:
    """All buckets: 1, 2, 4, 8, ... and ``most``."""
    return sorted({bucket(count, most) for count in range(1, most + 1)})
