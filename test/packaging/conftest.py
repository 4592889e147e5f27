"""The package as git holds it, and a workspace in which colcon built it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGE = "thermal_kd_ros"


@pytest.fixture(scope="session")
def source(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git holds or would take in: nothing that merely lies about can make the installation work."""
    if shutil.which("git") is None or not (repository / ".git").exists():
        pytest.skip("this is not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    root = tmp_path_factory.mktemp("workspace") / "src" / PACKAGE
    for name in filter(None, listed.split("\0")):
        if (repository / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, root / name)
    return root


def run_command(command: list[str], cwd: Path) -> str:
    result = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, f"{' '.join(command)} failed:\n{result.stdout[-4000:]}"
    return result.stdout


@pytest.fixture(scope="session")
def run() -> Callable[..., str]:
    """Runs a command, in the folder ``cwd``, that must succeed; returns all that it said."""
    return run_command


@pytest.fixture(scope="session")
def workspace(source: Path) -> Path:
    """A colcon workspace in which the package was built."""
    pytest.importorskip("colcon_core")
    root = source.parent.parent
    colcon = "import sys; from colcon_core.command import main; sys.exit(main())"
    output = run_command([sys.executable, "-c", colcon, "build", "--event-handlers", "console_cohesion+"], cwd=root)
    assert "1 package finished" in output
    return root
