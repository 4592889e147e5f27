"""Devices and threads of command lines."""

import pytest

torch = pytest.importorskip("torch")

from training.device import usable_device, use_threads  # noqa: E402


def test_devices_that_cannot_be_used_are_told_in_one_line():
    assert usable_device("cpu") == torch.device("cpu")
    for name in ("gpu", "meta", "cuda:99"):
        with pytest.raises(ValueError, match=f"--device {name} cannot be used here") as caught:
            usable_device(name)
        assert "\n" not in str(caught.value)


def test_threads_are_counted_from_one():
    before = torch.get_num_threads()
    use_threads(0)
    assert torch.get_num_threads() == before
    try:
        use_threads(before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    with pytest.raises(ValueError, match="--threads -1"):
        use_threads(-1)
