"""The set-up program: what it says when something is missing, and that it neither repeats nor destroys work."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

# What the set-up may look for on the PATH besides Python.
TOOLS = ("bash", "c++", "cmake", "make", "uname", "ldd")

# Replaced in the child before the set-up runs, to see it on a machine that is not this one.
ON_AARCH64 = "import platform; platform.machine = lambda: 'aarch64'"
ON_OLD_GLIBC = "import platform; platform.libc_ver = lambda *_: ('glibc', '2.17')"
ON_FULL_DISK = "import shutil, types; shutil.disk_usage = lambda _: types.SimpleNamespace(free=10**9)"
WITHOUT_VENV = "import prerequisites as p; p._PROBE = p._PROBE.replace('found(\"venv\", \"ensurepip\")', 'False')"
WITHOUT_HEADERS = "import prerequisites as p; p._PROBE = p._PROBE.replace('\"Python.h\"', '\"Absent.h\"')"
ON_OLD_PYTHON = "import prerequisites as p; p._PROBE = p._PROBE.replace('sys.version_info[:3]', '(3, 9, 18)')"


@pytest.fixture
def tools(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(repository / "tools"))
    return repository / "tools"


@pytest.fixture
def setup_env(tools: Path) -> ModuleType:
    """The set-up program as a module, for the parts that need no download."""
    return importlib.import_module("setup_env")


def path_with(folder: Path, programs: Iterable[str]) -> Path:
    """A folder that holds only these of the machine's programs."""
    folder.mkdir()
    for program in programs:
        found = shutil.which(program)
        if found:
            (folder / program).symlink_to(found)
    return folder


def check(tools: Path, folder: Path, patch: str = "", path: Path | None = None, **variables: str):
    """Run `setup_env.py --check` in an interpreter on which `patch` was carried out first."""
    program = f"import sys; sys.path.insert(0, {str(tools)!r})\n{patch}\nimport setup_env; sys.exit(setup_env.main())"
    environment = {key: value for key, value in os.environ.items() if key not in ("CXX", "ROS_DISTRO")}
    environment.update(variables)
    if path is not None:
        environment["PATH"] = str(path)
    command = [sys.executable, "-c", program, "--check", "--venv", str(folder / "environment")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def refused(result: subprocess.CompletedProcess, *words: str) -> None:
    """The set-up ended with an error of one sentence that holds `words`."""
    assert result.returncode == 1, result.stdout + result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("setup: "), result.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("c++", ("C++ compiler", "apt install build-essential")),
        ("cmake", ("CMake 3.22", "apt install cmake")),
        ("make", ("make", "apt install make")),
    ],
)
def test_missing_program(tools: Path, tmp_path: Path, missing: str, words: tuple[str, ...]) -> None:
    path = path_with(tmp_path / "bin", (name for name in TOOLS if name != missing))
    if missing == "make" and not shutil.which("c++"):
        pytest.skip("there is no C++ compiler, which the set-up asks for first")
    refused(check(tools, tmp_path, path=path), *words)


def test_old_cmake(tools: Path, tmp_path: Path) -> None:
    path = path_with(tmp_path / "bin", (name for name in TOOLS if name != "cmake"))
    (path / "cmake").write_text("#!/bin/sh\necho cmake version 3.16.3\n")
    (path / "cmake").chmod(0o755)
    refused(check(tools, tmp_path, path=path), "CMake is 3.16", "3.22")


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (ON_AARCH64, ("aarch64", "install ROS 2 Humble, Jazzy or Kilted")),
        (ON_OLD_GLIBC, ("glibc 2.28", "2.17")),
        (ON_FULL_DISK, ("1.0 GB free", "VENV=")),
        (WITHOUT_VENV, ("-venv", "apt install")),
        (WITHOUT_HEADERS, ("Python.h", "-dev", "apt install")),
        (ON_OLD_PYTHON, ("Python 3.10 to 3.13", "apt install python3")),
    ],
    ids=["aarch64", "old glibc", "full disk", "no venv", "no headers", "old Python"],
)
def test_unfit_machine(tools: Path, tmp_path: Path, patch: str, words: tuple[str, ...]) -> None:
    refused(check(tools, tmp_path, patch), *words)


def test_sourced_distribution_without_vision_msgs(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "rclpy").mkdir()
    (tmp_path / "rclpy" / "__init__.py").touch()
    patch = "import prerequisites as p; p._PROBE = p._PROBE.replace('found(\"vision_msgs\")', 'False')"
    result = check(tools, tmp_path, patch, ROS_DISTRO="jazzy", PYTHONPATH=str(tmp_path))
    refused(result, "vision_msgs", "apt install ros-jazzy-vision-msgs")


@pytest.mark.parametrize(("compiled", "code", "words"), [
    ("_rclpy_pybind11.cpython-38-x86_64-linux-gnu.so", "import rclpy._rclpy_pybind11",
     ("humble is sourced", "made for Python 3.8", "make PYTHON3=/usr/bin/python3.8")),
    (f"_rclpy_pybind11.cpython-3{sys.version_info.minor}-x86_64-linux-gnu.so", "raise ImportError('no librcl.so')",
     ("cannot be imported (ImportError: no librcl.so)", "--reinstall ros-humble-rclpy", "wheels")),
    ("other.so", "import os; os.abort()", ("cannot be imported", "--reinstall")),
], ids=["another Python", "broken", "crash"])
def test_a_sourced_rclpy_that_does_not_load(tools: Path, tmp_path: Path, compiled: str, code: str,
                                            words: tuple[str, ...]) -> None:
    """That its files are found is not enough."""
    (tmp_path / "rclpy").mkdir()
    (tmp_path / "rclpy" / "__init__.py").write_text(code)
    (tmp_path / "rclpy" / compiled).touch()
    refused(check(tools, tmp_path, ROS_DISTRO="humble", PYTHONPATH=str(tmp_path)), *words)


def test_a_sourced_distribution_without_rclpy_is_passed_over_with_a_word(tools: Path, tmp_path: Path) -> None:
    base = getattr(sys, "_base_executable", None) or sys.executable
    if subprocess.run([base, "-c", "import rclpy"], capture_output=True).returncode == 0:
        pytest.skip("the Python below this environment has an rclpy")
    (tmp_path / "rclpy").mkdir()  # a folder of that name is no package
    result = check(tools, tmp_path, ROS_DISTRO="humble", PYTHONPATH=str(tmp_path))
    said = [line for line in result.stdout.splitlines() if "humble" in line]
    assert len(said) == 1 and "no rclpy" in said[0] and "wheels" in said[0]
    assert "Traceback" not in result.stderr


def test_fit_machine(tools: Path, tmp_path: Path) -> None:
    """Where the project's own environment was built from wheels, the check must agree that this can be done."""
    if Path(sys.prefix, ".setup", "vision_msgs.done").is_file():
        result = check(tools, tmp_path)
        assert result.returncode == 0, result.stderr
        assert "has what the environment needs" in result.stdout
        assert not (tmp_path / "environment").exists()
    else:
        pytest.skip("this environment was not built from wheels")


def test_second_run_does_nothing(tools: Path) -> None:
    if not Path(sys.prefix, ".setup", "check.done").is_file():
        pytest.skip("this environment was not built by the set-up")
    command = [sys.executable, str(tools / "setup_env.py"), "--venv", sys.prefix]
    if not Path(sys.prefix, ".setup", "torch.done").is_file():
        command.append("--no-torch")
    begun = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert time.monotonic() - begun < 5.0  # well under a second when nothing else runs


def test_half_built_environment_is_built_again(setup_env: ModuleType, tmp_path: Path) -> None:
    """A folder that an interrupted first step left behind counts as nothing."""
    (tmp_path / "pyvenv.cfg").touch()
    environment = setup_env.Environment(tmp_path, distribution=None, torch=True)
    assert [step.name for step in environment.pending()] == [step.name for step in environment.steps()]
    assert environment.steps()[0].name == "venv"


def test_interrupted_set_up_goes_on(setup_env: ModuleType, tmp_path: Path) -> None:
    """Finished steps stay finished; one whose inputs changed is done again."""
    environment = setup_env.Environment(tmp_path, distribution=None, torch=True)
    environment.python.parent.mkdir()
    environment.python.symlink_to(sys.executable)
    environment.state.mkdir()
    venv, packages, ros, *rest = environment.steps()
    for step in (venv, packages, ros):
        (environment.state / f"{step.name}.done").write_text(step.inputs)
    assert [step.name for step in environment.pending()] == [step.name for step in rest]
    (environment.state / "packages.done").write_text("other requirements")
    assert environment.pending()[0].name == "packages"


def test_the_demo_needs_no_torch_without_a_gpu(setup_env: ModuleType, tmp_path: Path) -> None:
    """Steps of a set-up for the demo, and that nothing is taken away from an environment that has more."""
    def names(folder: Path, **wanted: bool) -> list[str]:
        return [step.name for step in setup_env.Environment(folder, distribution=None, **wanted).steps()]

    lean = names(tmp_path, torch=False, development=False)
    assert lean == ["venv", "packages", "ros", "vision_msgs", "check"]
    full = [*lean[:-1], "hri_msgs", "tf2_msgs", "development", "torch", "check"]
    assert names(tmp_path, torch=True, development=True) == full
    (tmp_path / ".setup").mkdir()
    for name in ("development", "torch"):
        (tmp_path / ".setup" / f"{name}.done").touch()
    assert names(tmp_path, torch=False, development=False) == full


@pytest.mark.parametrize(("purpose", "gpu", "torch"), [("demo", False, False), ("demo", True, True),
                                                       ("test", False, True), ("test", True, True)])
def test_torch_is_part_of_what_needs_it(setup_env: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        purpose: str, gpu: bool, torch: bool) -> None:
    made: list[dict[str, object]] = []

    class Finished:
        def __init__(self, folder: Path, distribution: str | None, torch: bool, development: bool) -> None:
            made.append({"torch": torch, "development": development})

        def pending(self) -> list[object]:
            return []

    monkeypatch.setattr(setup_env, "Environment", Finished)
    monkeypatch.setattr(setup_env, "has_gpu", lambda: gpu)
    setup_env.set_up(tmp_path, purpose)
    assert made == [{"torch": torch, "development": purpose == "test"}]
    setup_env.set_up(tmp_path, purpose, torch=False)
    assert made[1]["torch"] is False


def test_runtime_requirements_hold_what_the_node_imports(repository: Path) -> None:
    folder = repository / "tools" / "requirements"
    pins = {path.stem: {line.partition("==")[0] for line in path.read_text().splitlines() if "==" in line}
            for path in folder.glob("*.txt")}
    assert {"safetensors", "openvino", "tqdm", "mcap"} <= pins["runtime"]
    assert not {"torch", "onnx", "onnxruntime", "pytest"} & pins["runtime"]
    assert not any(a & b for i, a in enumerate(pins.values()) for b in list(pins.values())[i + 1:]), "pinned twice"


def test_copies_of_libraries_are_shared(setup_env: ModuleType, tmp_path: Path) -> None:
    large = b"x" * setup_env.SHARED_FROM_BYTES
    contents = {"a/liba.so": large, "a/liba.so.1": large, "b/libc.so": large[:-1] + b"y", "b/small.so": b"x",
                "b/small.so.1": b"x", "a/data.bin": large}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "b" / "link.so").symlink_to(tmp_path / "a" / "liba.so")
    for _ in range(2):
        setup_env.share_copies(tmp_path)
        assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
            *contents, "b/link.so"}
        assert all((tmp_path / name).read_bytes() == content for name, content in contents.items())
        assert (tmp_path / "a/liba.so").samefile(tmp_path / "a/liba.so.1")
        assert (tmp_path / "b" / "link.so").is_symlink()
        for name in ("b/libc.so", "a/data.bin"):
            assert not (tmp_path / name).samefile(tmp_path / "a/liba.so")


def test_half_installed_package_is_dropped(setup_env: ModuleType, tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name, complete in (("whole-1.0.dist-info", True), ("half-1.0.dist-info", False)):
        (site / name).mkdir(parents=True)
        (site / name / "METADATA").touch()
        if complete:
            (site / name / "INSTALLER").write_text("pip")
    setup_env.Environment(tmp_path, distribution=None, torch=True)._drop_half_installed()
    assert [path.name for path in site.iterdir()] == ["whole-1.0.dist-info"]


def test_foreign_folder_is_left_alone(tools: Path, tmp_path: Path) -> None:
    """A folder that is no virtual environment is never replaced, whatever the user named."""
    precious = tmp_path / "precious.txt"
    precious.write_text("keep me")
    command = [sys.executable, str(tools / "setup_env.py"), "--venv", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "not a virtual environment" not in result.stderr:
        refused(result)  # this machine lacks something and says so before it gets there
    assert result.returncode == 1
    assert precious.read_text() == "keep me"
