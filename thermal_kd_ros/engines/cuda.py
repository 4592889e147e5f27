"""NVIDIA GPUs, asked of the driver itself: whether one is there must not cost the import of a framework."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR = 75, 76
"""CUdevice_attribute of the driver API."""


@dataclass(frozen=True)
class Gpu:
    """One device of the CUDA driver."""

    name: str
    compute_capability: tuple[int, int]
    driver: int
    """CUDA version that the driver speaks, e.g. 13000 for 13.0."""


def find_gpus() -> list[Gpu]:
    """The CUDA devices in the driver's order; none where there is no driver, or it does not answer."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    count, version = ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return []
    cuda.cuDriverGetVersion(ctypes.byref(version))
    return [_gpu(cuda, index, version.value) for index in range(count.value)]


def _gpu(cuda: ctypes.CDLL, index: int, driver: int) -> Gpu:
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(256)
    cuda.cuDeviceGet(ctypes.byref(device), index)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceGetAttribute(ctypes.byref(major), _COMPUTE_CAPABILITY_MAJOR, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), _COMPUTE_CAPABILITY_MINOR, device)
    return Gpu(name.value.decode(errors="replace"), (major.value, minor.value), driver)
