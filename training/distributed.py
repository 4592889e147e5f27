"""Training in several processes, one per GPU, on one machine or several: what torchrun starts.

``torchrun --nproc-per-node 4 -m training.detector.train nano --output runs/nano``

Every process takes its share of each batch, so that the order of the data does not depend on their number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Processes:
    """This process among all of a run."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and shows progress."""
        return self.rank == 0

    def batches(self, batch: int, first: int, steps: int) -> list[list[int]]:
        """Indices of an epoch's items for this process, one list per step from ``first`` to ``steps``.

        The lists of all processes together are the whole batch of each step. Raises ValueError for a batch that cannot
        be shared evenly.
        """
        if batch % self.world:
            raise ValueError(f"a batch of {batch} cannot be shared evenly by {self.world} processes")
        return [list(range(step * batch + self.rank, (step + 1) * batch, self.world)) for step in range(first, steps)]


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the run that torchrun describes in the environment; alone without one. ``device`` is this process's own."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield Processes()
        return
    processes = Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield processes
    finally:
        distributed.destroy_process_group()


def synchronised(module: torch.nn.Module, processes: Processes) -> torch.nn.Module:
    """The module itself, or one that averages gradients over all processes after each backward pass."""
    if processes.world == 1:
        return module
    return torch.nn.parallel.DistributedDataParallel(module)


def mean_over_processes(value: torch.Tensor) -> torch.Tensor:
    """The mean of a tensor over all processes of the run, without a gradient; the tensor itself in a run of one.

    What a loss is divided by must be the same everywhere for the mean of the gradients to be that of the whole batch.
    """
    if not distributed.is_initialized():
        return value
    total = value.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def same_everywhere(value: torch.Tensor) -> bool:
    """Whether all processes of the run have the same finite scalar; all get the same answer."""
    mean = mean_over_processes(value.double())
    return bool(mean_over_processes((value.double() - mean).square()) == 0)
