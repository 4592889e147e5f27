"""The command that renders pairs, with the stand-ins that need no archives."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.pair_scenes import sheet
from training.data.pairs import PairedCoco
from training.data.render_pairs import CATEGORIES, main

SMALL = ["--count", "3", "--val", "1", "--bodies", "6", "--seed", "5"]


def test_what_is_written_reads_as_pairs_and_a_killed_run_goes_on(tmp_path: Path) -> None:
    arguments = ["--output", str(tmp_path), *SMALL, "--display-share", "0"]
    assert main(arguments) == 0
    classes = tuple(name for name in CATEGORIES if name != "ignore")
    for split, count in (("train", 3), ("val", 1)):
        data = PairedCoco(tmp_path, split, classes)
        assert len(data) == count
        for i in range(count):
            sample = data[i]
            assert sample.thermal.dtype == np.uint16 and sample.labelled.all()
            celsius = sample.thermal / 100 - 273.15
            assert -70 < celsius.min() and celsius.max() < 200
    # What a killed run leaves: pictures, one without the sidecar that vouches for it.
    victim = tmp_path / "train" / "0000006.png"
    before, kept = victim.read_bytes(), (tmp_path / "train" / "0000007.png").stat().st_mtime_ns
    victim.write_bytes(before[: len(before) // 2])
    (tmp_path / "train" / "0000006.json").unlink()
    assert main(arguments) == 0
    assert victim.read_bytes() == before
    assert (tmp_path / "train" / "0000007.png").stat().st_mtime_ns == kept
    assert not {p.stem for p in (tmp_path / "train").glob("*.png")} & {p.stem for p in (tmp_path / "val").glob("*.png")}


def test_other_settings_are_not_mixed_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path), *SMALL]) == 0
    content = (tmp_path / "train.json").read_text()
    assert main(["--output", str(tmp_path), *SMALL, "--display-share", "0.9"]) == 1
    assert "another --output" in capsys.readouterr().err
    assert (tmp_path / "train.json").read_text() == content
    assert main(["--output", str(tmp_path), "--count", "1", "--val", "0", "--bodies", "6", "--seed", "9"]) == 0


def test_another_seed_adds_to_the_set_and_what_is_gone_leaves_it(tmp_path: Path) -> None:
    more = ["--output", str(tmp_path), "--bodies", "6", "--count", "2", "--val", "1"]
    for seed in ("5", "6", "40"):
        assert main([*more, "--seed", seed]) == 0

    def listed(split: str) -> list[int]:
        content = json.loads((tmp_path / f"{split}.json").read_text())
        numbers = [row["id"] for row in content["annotations"]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert {row["image_id"] for row in content["annotations"]} <= {entry["id"] for entry in content["images"]}
        return [entry["id"] for entry in content["images"]]

    assert listed("train") == [5, 6, 7, 40, 41] and listed("val") == [1_000_000_005, 1_000_000_006, 1_000_000_040]
    assert len(PairedCoco(tmp_path, "train", tuple(name for name in CATEGORIES if name != "ignore"))) == 5
    (tmp_path / "train" / "0000006.png").unlink()
    (tmp_path / "train_visible" / "0000041.jpg").unlink()
    assert main([*more, "--seed", "40"]) == 0  # which renders what is missing of its own
    assert listed("train") == [5, 7, 40, 41]


def test_pictures_as_displays_show_them(tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path), "--count", "1", "--val", "0", "--bodies", "6", "--display-share", "1"]) == 0
    thermal = cv2.imread(str(tmp_path / "train" / "0000000.png"), cv2.IMREAD_UNCHANGED)
    assert thermal.dtype == np.uint8 and thermal.ndim == 2 and not (tmp_path / "val.json").exists()


def test_mistakes_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path), "--assets", str(tmp_path / "nowhere")]) == 1
    assert "human.npz is missing" in capsys.readouterr().err
    for wrong, said in ((["--count", "0"], "--count 0: give at least 1"), ([*SMALL, "--val", "-1"], "--val -1"),
                        (["--seed", "500000000"], "--seed 500000000: give a value in 0..499999999"),
                        (["--display-share", "nan"], "--display-share nan"), (["--bodies", "0"], "--bodies 0")):
        assert main(["--output", str(tmp_path), *wrong]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"error: {said}") and error.count("\n") == 1
    assert not list(tmp_path.glob("*.json"))
    assert sheet.main([str(tmp_path / "sheet.jpg"), "--assets", str(tmp_path / "nowhere")]) == 1
    assert "human.npz is missing" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["--output", str(tmp_path / "file"), *SMALL]) == 1
    assert "error:" in capsys.readouterr().err


def test_a_picture_that_could_not_be_written_is_not_vouched_for(
        tmp_path: Path, little_room: Callable[[], AbstractContextManager[None]],
        capsys: pytest.CaptureFixture[str]) -> None:
    with little_room():
        assert main(["--output", str(tmp_path), *SMALL]) == 1
    assert "error: [Errno 27]" in capsys.readouterr().err
    assert not list((tmp_path / "train").iterdir()) and not (tmp_path / "train.json").exists()
