"""What all tests share: where the data lies, an undisturbed ROS domain, and when a marked test is skipped."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TextIO

import hypothesis
import pytest

# DDS derives its ports from the domain; above 101 they run into the ones that Linux hands out to clients.
DOMAINS = range(1, 102)
_DOMAIN_LOCK: pytest.StashKey[TextIO] = pytest.StashKey()


@pytest.fixture(scope="session")
def repository(pytestconfig: pytest.Config) -> Path:
    """The root of the checkout."""
    return pytestconfig.rootpath


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """The folder of recorded thermal data that lies beside the checkout; skips where it does not."""
    folder = repository.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"recorded data is not on this machine ({folder})")
    return folder


@pytest.fixture(scope="session")
def untrained_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, str]]:
    """Writes the real networks, small and never trained, so that the doors are tested whatever is shipped.

    Called with the detectors' input height and width and a seed for the weights; gives the parameters that name the
    files of a detector, a face detector and a landmark model.
    """
    torch = pytest.importorskip("torch")
    from thermal_kd_ros.models.card import ModelCard
    from thermal_kd_ros.models.checkpoint import write
    from thermal_kd_ros.models.detector import Detector
    from thermal_kd_ros.models.landmarker import Landmarker
    from thermal_kd_ros.models.specs import DetectorSpec, LandmarkerSpec

    def build(height: int, width: int, seed: int) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("models")
        torch.manual_seed(seed)

        def save(card: ModelCard, network: Any) -> str:
            path = folder / f"{card.name}.safetensors"
            write(path, card, {key: value.numpy() for key, value in network.state_dict().items()})
            return str(path)

        def detector(name: str, classes: tuple[str, ...]) -> str:
            spec = DetectorSpec(len(classes), (8, 16, 24, 32), (1, 1, 1, 1), (8, 16, 32), (16, 24, 32))
            return save(ModelCard(name, "detection", spec.to_dict(), height, width, classes), Detector(spec))

        spec = LandmarkerSpec()
        landmarks = ModelCard("landmarks", "landmarks", spec.to_dict(), 112, 112, layout="sf_tl54")
        return {"detector.model": detector("objects", ("person", "car", "bicycle")),
                "face.detector_model": detector("faces", ("face",)),
                "face.landmark_model": save(landmarks, Landmarker(spec))}

    return build


def pytest_configure(config: pytest.Config) -> None:
    """Give this session a ROS domain of its own, before anything imports rclpy; child processes inherit it too."""
    # A slow or busy machine is no defect: only wrong results are.
    hypothesis.settings.register_profile("thermal_kd_ros", deadline=None)
    hypothesis.settings.load_profile("thermal_kd_ros")
    config.stash[_DOMAIN_LOCK] = lock = _claim_domain()
    os.environ["ROS_DOMAIN_ID"] = Path(lock.name).stem.rpartition("-")[2]
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Release the domain for the next session."""
    config.stash[_DOMAIN_LOCK].close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run."""
    _skip_marked(items, "ros", None if importlib.util.find_spec("rclpy") else "rclpy is not installed")
    if any("gpu" in item.keywords for item in items):
        _skip_marked(items, "gpu", _reason_without_gpu())


def _skip_marked(items: list[pytest.Item], mark: str, reason: str | None) -> None:
    for item in items:
        if reason and mark in item.keywords:
            item.add_marker(pytest.mark.skip(reason=reason))


def _reason_without_gpu() -> str | None:
    """Why GPU tests cannot run; asked only when there are some, because importing torch takes seconds."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    import torch

    return None if torch.cuda.is_available() else "there is no CUDA device"


def _claim_domain() -> TextIO:
    """The open file whose lock claims the first ROS domain that no other test session on this machine holds."""
    for domain in DOMAINS:
        lock = Path(tempfile.gettempdir(), f"thermal_kd_ros-domain-{os.getuid()}-{domain}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return lock
    raise pytest.UsageError(f"All {len(DOMAINS)} ROS domains are held by other test sessions: end one of them.")


@pytest.fixture
def little_room() -> Callable[[], AbstractContextManager[None]]:
    """A context in which no file may become larger than 8 KiB: writing more fails as on a full disk.

    Not for a whole test: the file into which somebody lets pytest write may be larger already.
    """
    resource = pytest.importorskip("resource")

    @contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
