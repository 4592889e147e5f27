"""Training tests run tiny networks: one thread is faster than the synchronisation of several."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Use one CPU thread in torch, where torch is installed."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)


@pytest.fixture
def little_room():
    """No file may become larger than 8 KiB: writing more fails as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
