"""What the set-up needs from the machine: found once, and every lack said in one sentence with its remedy.

Standard library only, because it runs before anything is installed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON_MIN = (3, 10)
PYTHON_MAX = (3, 13)
CMAKE_MIN = (3, 22)
GLIBC_MIN = (2, 28)
GIGABYTE = 1_000_000_000

# Printed by the candidate interpreter itself, so that one start of it answers everything.
_PROBE = """
import importlib.util, json, os, sys, sysconfig
def found(*names):
    return all(importlib.util.find_spec(name) is not None for name in names)
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "venv": found("venv", "ensurepip"),
    "headers": os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")),
    "vision_msgs": found("vision_msgs"),
    "opencv": found("cv2"),
    "numpy": __import__("importlib.metadata").metadata.version("numpy") if found("numpy") else "",
}))
"""

# In a process of its own, because what does not fit an interpreter can end it. That rclpy is found says little: its
# compiled part is made for one version of Python, and every later one finds the files too.
_PROBE_RCLPY = """
import importlib.util, json, os
spec = importlib.util.find_spec("rclpy")
files = os.listdir(os.path.dirname(spec.origin)) if spec and spec.origin else None
print(json.dumps(files), flush=True)
if files is None:
    raise SystemExit(1)
import rclpy
"""


class SetupError(Exception):
    """The set-up cannot go on; the message is one sentence that names the remedy."""


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter and what it brings along."""

    path: str
    version: tuple[int, ...]
    venv: bool
    headers: bool
    vision_msgs: bool
    opencv: bool
    numpy: str

    @property
    def name(self) -> str:
        """The interpreter as a person would write it, such as ``Python 3.11.7 (/usr/bin/python3)``."""
        return f"Python {'.'.join(map(str, self.version))} ({self.path})"

    @property
    def supported(self) -> bool:
        """Whether wheels exist for this version."""
        return PYTHON_MIN <= self.version[:2] <= PYTHON_MAX


def _run(command: list[str]) -> str | None:
    """The standard output of a short command, or None when it is missing or fails."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None


def probe(path: str) -> Interpreter | None:
    """Ask an interpreter what it is; None when it does not run."""
    output = _run([path, "-c", _PROBE])
    if not output:
        return None
    facts = json.loads(output.strip().splitlines()[-1])
    facts["version"] = tuple(facts["version"])
    return Interpreter(path=path, **facts)


def running_interpreter() -> str:
    """The interpreter that runs this program; the one underneath when that is a virtual environment."""
    return getattr(sys, "_base_executable", None) or sys.executable


def sourced_distribution() -> tuple[str | None, str]:
    """The sourced ROS 2 distribution to build on, or None for wheels; and what to say of one that is passed over.

    Raises SetupError for a distribution whose rclpy is there but cannot be imported.
    """
    distribution = os.environ.get("ROS_DISTRO")
    if not distribution:
        return None, ""
    python = running_interpreter()
    command = [python, "-c", _PROBE_RCLPY]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{python} does not run ({error}): repair that Python and run this again.") from None
    if result.returncode == 0:
        return distribution, ""
    files = json.loads(result.stdout.partition("\n")[0] or "null")
    if files is None:
        return None, f"ROS 2 {distribution} is sourced, but has no rclpy for {python}: it is passed over for wheels"
    raise SetupError(_why_not_imported(distribution, python, files, result.stderr))


def _why_not_imported(distribution: str, python: str, files: list[str], said: str) -> str:
    """Why rclpy, with these files in its folder, cannot be imported, and what to do."""
    otherwise = "or, for ROS 2 from wheels, in a terminal where none is sourced."
    made_for = {int(found.group(1)) for name in files if (found := re.search(r"\.cpython-3(\d+)", name))}
    if made_for and sys.version_info.minor not in made_for:
        theirs, mine = _dotted((3, max(made_for))), _dotted(sys.version_info[:2])
        return (f"ROS 2 {distribution} is sourced, whose rclpy is made for Python {theirs}, and {python} is Python "
                f"{mine}: run this again with that Python (`make PYTHON3=/usr/bin/python{theirs}`), {otherwise}")
    last = (said.strip().splitlines() or ["it ends without a word"])[-1]
    return (f"ROS 2 {distribution} is sourced, but its rclpy cannot be imported ({last}): repair it (`sudo apt install "
            f"--reinstall ros-{distribution}-rclpy`) and run this again, {otherwise}")


def check_distribution(distribution: str) -> Interpreter:
    """The distribution's interpreter, when it has what the node needs."""
    interpreter = probe(running_interpreter())
    if interpreter is None:
        raise SetupError(f"{running_interpreter()} does not run: repair that Python and run this again.")
    if not interpreter.vision_msgs:
        raise SetupError(
            f"ROS 2 {distribution} is sourced but has no vision_msgs: install it with "
            f"`sudo apt install ros-{distribution}-vision-msgs` and run this again."
        )
    _check_venv(interpreter)
    return interpreter


def check_wheels() -> Interpreter:
    """The interpreter that gets ROS 2 from wheels, when everything that takes is on this machine."""
    _check_platform()
    interpreter = _find_interpreter()
    _check_venv(interpreter)
    _check_headers(interpreter)
    _check_compiler()
    _check_cmake()
    return interpreter


def check_disk(folder: Path, needed: int) -> None:
    """Raise when the disk that holds `folder` (which need not exist yet) has fewer than `needed` bytes free."""
    existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise SetupError(
            f"{existing} has {free / GIGABYTE:.1f} GB free and the environment takes {needed / GIGABYTE:.1f} GB: free "
            "some space there, or put it on another disk with `make VENV=/path/to/folder`."
        )


def _check_platform() -> None:
    remedy = "install ROS 2 Humble, Jazzy or Kilted, source its setup.bash and run this again."
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in ("x86_64", "AMD64"):
        raise SetupError(f"There are no ROS 2 wheels for {platform.system()} on {machine}: {remedy}")
    library, version = platform.libc_ver()
    if library != "glibc" or _numbers(version) < GLIBC_MIN:
        raise SetupError(
            f"The ROS 2 wheels need glibc {_dotted(GLIBC_MIN)} or newer and this system has "
            f"{library or 'another C library'} {version}".rstrip() + f": {remedy}"
        )


def _find_interpreter() -> Interpreter:
    """The first supported interpreter, preferring one that is complete over one that lacks venv or headers."""
    names = [running_interpreter()]
    names += [path for path in map(shutil.which, ("python3.12", "python3.11", "python3.13", "python3.10")) if path]
    supported = [found for found in map(probe, dict.fromkeys(names)) if found is not None and found.supported]
    if not supported:
        raise SetupError(
            f"Python {_dotted(PYTHON_MIN)} to {_dotted(PYTHON_MAX)} is needed and python3 is "
            f"{platform.python_version()}: install one of them (for example `sudo apt install python3.12 "
            "python3.12-venv python3.12-dev`) and run this again."
        )
    return next((found for found in supported if found.venv and found.headers), supported[0])


def _check_venv(interpreter: Interpreter) -> None:
    if not interpreter.venv:
        package = f"python{_dotted(interpreter.version[:2])}-venv"
        raise SetupError(
            f"{interpreter.name} cannot create virtual environments: install {package} "
            f"(`sudo apt install {package}`) and run this again."
        )


def _check_headers(interpreter: Interpreter) -> None:
    if not interpreter.headers:
        package = f"python{_dotted(interpreter.version[:2])}-dev"
        raise SetupError(
            f"{interpreter.name} has no C headers (Python.h): install {package} "
            f"(`sudo apt install {package}`) and run this again."
        )


def _check_compiler() -> None:
    wanted = os.environ.get("CXX")
    if not any(map(shutil.which, [wanted] if wanted else ["c++", "g++", "clang++"])):
        what = f"CXX names {wanted}, which is not on the PATH" if wanted else "No C++ compiler was found"
        raise SetupError(f"{what}: install one (`sudo apt install build-essential`) and run this again.")
    if not any(map(shutil.which, ("make", "gmake", "ninja"))):
        raise SetupError("Neither make nor ninja was found: install one (`sudo apt install make`) and run this again.")


def _check_cmake() -> None:
    remedy = "install it (`sudo apt install cmake`, or `python3 -m pip install --user cmake`) and run this again."
    found = re.search(r"(\d+)\.(\d+)", _run(["cmake", "--version"]) or "")
    if found is None:
        raise SetupError(f"CMake {_dotted(CMAKE_MIN)} or newer was not found: {remedy}")
    if _numbers(found.group()) < CMAKE_MIN:
        raise SetupError(f"CMake is {found.group()} and {_dotted(CMAKE_MIN)} or newer is needed: {remedy}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
