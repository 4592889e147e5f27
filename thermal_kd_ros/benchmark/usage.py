"""What a process uses: CPU time, memory, and memory of NVIDIA GPUs. From /proc, so on Linux alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far; NaN where it cannot be known."""
    try:
        # The program's name, in brackets, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Resident memory of a process, MiB; NaN where it cannot be known."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return float("nan")


def gpu_mib(pid: int) -> float | None:
    """Memory that a process holds on NVIDIA GPUs, MiB, as the driver counts it; None where there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    lines = subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.splitlines()
    used = [line.split(",") for line in lines if line.count(",") == 1]
    return float(sum(float(memory) for owner, memory in used if int(owner) == pid and memory.strip().isdigit()))
