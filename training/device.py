"""The device and the CPU threads that a command line asks for, checked before any work."""

from __future__ import annotations

import os

import torch


def usable_device(name: str) -> torch.device:
    """The device that ``--device`` names, for cuda under torchrun this process's own GPU.

    Raises ValueError if PyTorch does not know it or cannot use it here.
    """
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None and (local := os.environ.get("LOCAL_RANK")):
            # One of torchrun's processes: the first GPU is another one's.
            device = torch.device("cuda", int(local))
            torch.cuda.set_device(device)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {name} cannot be used here; give cpu, cuda or cuda:0 ({reason})") from None
    return device


def use_threads(count: int) -> None:
    """Let PyTorch use so many CPU threads, 0: all; raises ValueError for fewer."""
    if count < 0:
        raise ValueError(f"--threads {count}: give the number of threads, or 0 for all")
    if count:
        torch.set_num_threads(count)
