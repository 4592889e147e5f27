"""The node as a process of its own, as on a robot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ..dds import dds_environment
from .errors import DemoError

_GRACE_S = 10.0
_LAST_LINES = 15


class NodeProcess:
    """perception_node in ``namespace`` with ``parameters``; its log goes to a file. A context manager."""

    def __init__(self, namespace: str, parameters: Mapping[str, Any], log: Path) -> None:
        self.log = log
        command = [sys.executable, "-m", "thermal_kd_ros", "node", "--ros-args", "-r", f"__ns:={namespace}"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={_yaml(value)}"]
        self._command = command

    def __enter__(self) -> NodeProcess:
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, **dds_environment(os.environ), "PYTHONPATH": os.pathsep.join(paths),
                       "PYTHONUNBUFFERED": "1", "RCUTILS_COLORIZED_OUTPUT": "0"}
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT, env=environment,
                                             stdin=subprocess.DEVNULL, start_new_session=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        for request in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            self._process.send_signal(request)
            try:
                self._process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                continue

    @property
    def pid(self) -> int:
        """Of the process, while the context is open."""
        return self._process.pid

    def check(self) -> None:
        """Raise DemoError if the node has ended."""
        code = self._process.poll()
        if code is not None:
            raise DemoError(f"the node ended by itself with exit code {code}. Its last words:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of the node's log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (nothing)"


def _yaml(value: Any) -> str:
    """A value as ROS's command line reads it: YAML, with strings quoted so that none becomes a number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_yaml(entry) for entry in value) + "]"
    return repr(value)
