"""The command line as a whole, and its ``models`` and ``node``."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thermal_kd_ros import __main__
from thermal_kd_ros.cli import node
from thermal_kd_ros.cli.options import parse_assignment
from thermal_kd_ros.config import DEVICES, ConfigError
from thermal_kd_ros.models.card import ModelCard
from thermal_kd_ros.models.checkpoint import write

CARD = ModelCard("tiny", "detection", {"classes": 2}, 128, 160, ("person", "car"), parameters=1234, licence="CC0-1.0",
                 data=("nothing at all, CC0",), metrics=({"metric": "map50", "value": 0.5, "on": "a set"},))


def run(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "thermal_kd_ros", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


@pytest.mark.parametrize("command", ("", "demo", "detect", "inspect", "models", "node"))
def test_help_loads_nothing_heavy(command: str, repository: Path) -> None:
    code = ("import sys\nfrom thermal_kd_ros.__main__ import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
            "    print(*(sys.modules.keys() & {'torch', 'numpy', 'cv2', 'rclpy', 'tqdm'}), file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code, *filter(None, [command]), "--help"], cwd=repository,
                          capture_output=True, text=True)
    assert done.returncode == 0 and "usage" in done.stdout
    assert done.stderr.strip() == ""


def test_no_and_unknown_commands_are_refused(repository: Path) -> None:
    for arguments in ((), ("detcet",)):
        done = run(*arguments, root=repository)
        assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full, which is always full")
def test_output_that_cannot_be_written_ends_in_a_line(repository: Path) -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "thermal_kd_ros", "models"]
    with open("/dev/full", "w") as full:
        for environment in (buffered, buffered | {"PYTHONUNBUFFERED": "1"}):
            done = subprocess.run(command, cwd=repository, stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=environment)
            assert done.returncode == 1
            assert done.stderr == "error: what was said cannot be written: No space left on device\n"
    # A reader that has what it wanted, as head has.
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, cwd=repository, stdout=writer, stderr=subprocess.PIPE, text=True, env=buffered)
    os.close(writer)
    assert done.returncode == 0 and done.stderr == ""


def test_a_failure_without_a_file_is_told_as_what_it_is(monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(__main__.models, "run", fails)
    assert __main__.main(["models"]) == 1
    assert capsys.readouterr().err == "error: Too many open files\n"


def test_the_help_names_all_devices(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["detect", "--help"])
    assert f"auto, {DEVICES} (default: auto)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("number", ("nan", "inf", "0", "-5", "soon"))
@pytest.mark.parametrize("options", (("benchmark", "--seconds"), ("benchmark", "--startup-timeout"), ("demo", "--rate"),
                                     ("demo", "--startup-timeout"), ("inspect", "/topic", "--timeout")))
def test_times_and_rates_are_finite_and_above_0(options: tuple[str, ...], number: str,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        __main__.main([*options, number])
    assert stop.value.code == 2
    assert f"{options[-1]}: {number}: must be a finite number above 0" in capsys.readouterr().err


@pytest.mark.parametrize("number", ("1e-300", "0.001", "0.99", "1001", "1e300"))
def test_the_demo_takes_no_rate_that_would_last_for_hours(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        __main__.main(["demo", "--rate", number])
    assert stop.value.code == 2
    assert f"--rate: {number}: must be from 1 to 1000" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        __main__.main(["demo", "--help"])
    assert "from 1 to 1000" in " ".join(capsys.readouterr().out.split())


def test_models_shows_the_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "tiny.safetensors", CARD, {"a": np.zeros(2, np.float32)})
    assert __main__.main(["models", str(tmp_path / "tiny.safetensors")]) == 0
    shown = capsys.readouterr().out
    for part in ("tiny  (detection)", "person, car", "160 x 128", "CC0-1.0", "nothing at all", "a set: map50 0.5"):
        assert part in shown
    assert __main__.main(["models", "--json", str(tmp_path / "tiny.safetensors")]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert card["classes"] == ["person", "car"] and card["bytes"] > 0


def test_models_with_a_figure_that_is_no_number_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = replace(CARD, metrics=({"metric": "map50", "value": float("nan"), "on": "a set"},))
    write(tmp_path / "tiny.safetensors", card, {"a": np.zeros(2, np.float32)})
    assert __main__.main(["models", "--json", str(tmp_path / "tiny.safetensors")]) == 1
    said = capsys.readouterr()
    assert not said.out and "internal error" in said.err and len(said.err.splitlines()) == 1


def test_models_takes_names_and_knows_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["models", "detector_nano", "nope"]) == 1
    captured = capsys.readouterr()
    assert "detector_nano.safetensors" in captured.out and len(captured.err.splitlines()) == 1
    assert "'nope' is neither a shipped model (" in captured.err
    assert __main__.main(["models", "nope"]) == 1
    assert not capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        __main__.main(["models", "--json", "--markdown"])


def test_models_names_a_broken_file_and_shows_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "tiny.safetensors", CARD, {"a": np.zeros(2, np.float32)})
    (tmp_path / "broken.safetensors").write_bytes(b"nonsense")
    assert __main__.main(["models", str(tmp_path / "broken.safetensors"), str(tmp_path / "tiny.safetensors")]) == 1
    captured = capsys.readouterr()
    assert "broken.safetensors" in captured.err and "tiny" in captured.out


def test_models_without_any_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                    capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("thermal_kd_ros.models.checkpoint.WEIGHTS_FOLDER", tmp_path)
    assert __main__.main(["models"]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_node_and_demo_without_ros_say_what_to_do(monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    for command in ("node", "demo"):
        assert __main__.main([command]) == 1
        assert "setup.bash" in capsys.readouterr().err


@pytest.mark.ros
def test_node_hands_its_arguments_to_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    from thermal_kd_ros.nodes import perception

    given: list[list[str]] = []
    monkeypatch.setattr(perception, "main", lambda arguments: given.append(arguments) or 7)
    assert __main__.main(["node", "--ros-args", "-r", "image:=/thermal/image"]) == 7
    assert node.start([]) == 7
    assert given[0][1:] == ["--ros-args", "-r", "image:=/thermal/image"] and given[1][1:] == []


def test_assignments_take_the_type_of_the_parameter() -> None:
    assert parse_assignment("contrast.headroom=0.2") == ("contrast.headroom", 0.2)
    assert parse_assignment("face.enabled=false") == ("face.enabled", False)
    assert parse_assignment("detector.max_detections=7") == ("detector.max_detections", 7)
    assert parse_assignment("detector.class_thresholds=person=0.2,car=0.5")[1] == ("person=0.2", "car=0.5")
    for text, word in (("contrast.headroom", "NAME=VALUE"), ("a.b=1", "no such"), ("face.enabled=maybe", "bool"),
                       ("detector.max_detections=x", "int")):
        with pytest.raises(ConfigError, match=word):
            parse_assignment(text)
