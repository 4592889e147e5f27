"""What the tests of engines share."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """The CPU always, and a GPU where there is one."""
    return torch.device(request.param)
