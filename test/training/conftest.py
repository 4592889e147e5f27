"""Training tests run tiny networks: one thread is faster than the synchronisation of several."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Use one CPU thread in torch, where torch is installed."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
