"""Ctrl-C ends a command and its workers, without a traceback and without what was still to do."""

import os
import signal
import subprocess
import sys
import time

import pytest

from training.command import command

SCRIPT = """
import signal, sys, time
from pathlib import Path
from training.command import command
from training.workers import workers

def work(path):
    path.touch()
    time.sleep(0.5)

@command()
def main(argv=None):
    folder = Path(sys.argv[1])
    with workers(2) as pool:
        list(pool.map(work, [folder / str(i) for i in range(1000)]))
    return 0

if __name__ == "__main__":
    # Shells let what they start in the background ignore Ctrl-C, these tests among it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
"""


def test_a_command_that_is_interrupted_says_so_in_a_line(capsys):
    @command()
    def main(argv=None):
        raise KeyboardInterrupt

    assert main([]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_package_that_is_missing_is_named(capsys):
    @command()
    def main():
        import a_package_that_nobody_has  # noqa: F401

    assert main() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: a_package_that_nobody_has is not installed; install it") and said.count("\n") == 1


def test_a_command_that_can_go_on_says_so(capsys):
    @command(interrupted="it goes on")
    def main():
        raise KeyboardInterrupt

    assert main() == 130
    assert capsys.readouterr().err == "interrupted; it goes on\n"


def test_the_mistakes_of_a_command_are_told_and_no_others(capsys):
    @command(OSError, FloatingPointError)
    def main(error):
        raise error

    assert main(FileNotFoundError("no such folder")) == 1
    assert capsys.readouterr().err == "error: no such folder\n"
    with pytest.raises(ValueError, match="a fault of ours"):
        main(ValueError("a fault of ours"))


def test_what_waits_for_workers_is_dropped(tmp_path, repository):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "out").mkdir()
    process = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(tmp_path / "out")], text=True,
                               stderr=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(repository)})
    deadline = time.monotonic() + 60
    # Both have begun: a process that is just starting tells of its end itself.
    while len(list((tmp_path / "out").iterdir())) < 4:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and said == "interrupted\n"
    assert len(list((tmp_path / "out").iterdir())) < 100
