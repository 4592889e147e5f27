"""The mean of two models."""

import dataclasses

import numpy as np
import pytest

from thermal_kd_ros.models.card import ModelCard
from thermal_kd_ros.models.checkpoint import read, write
from training.average import main

CARD = ModelCard("one", "detection", {"width": 4}, 64, 64, ("person",), data=("a", "b"), notes="seed 1",
                 metrics=({"metric": "map50", "value": 0.5, "on": "x", "command": "y"},))


def test_the_mean_keeps_types_names_both_sources_and_claims_no_figures(tmp_path):
    rng = np.random.default_rng(0)
    values = [{"w": rng.random((3, 2), np.float32), "n": np.array(k, np.int64)} for k in (3, 5)]
    write(tmp_path / "1.safetensors", CARD, values[0])
    write(tmp_path / "2.safetensors", dataclasses.replace(CARD, name="two", data=("b", "c"), notes="seed 2"), values[1])
    arguments = [str(tmp_path / "1.safetensors"), str(tmp_path / "2.safetensors"), "--output",
                 str(tmp_path / "mean.safetensors")]
    assert main([*arguments, "--share", "0.25"]) == 0
    card, weights = read(tmp_path / "mean.safetensors")
    np.testing.assert_allclose(weights["w"], 0.75 * values[0]["w"] + 0.25 * values[1]["w"], rtol=1e-6)
    assert weights["w"].dtype == np.float32 and weights["n"].dtype == np.int64
    assert card.data == ("a", "b", "c") and card.metrics == () and "seed 1" in card.notes and "seed 2" in card.notes
    with pytest.raises(SystemExit):
        main([*arguments, "--share", "1.5"])


def test_detectors_for_inputs_of_other_sizes_have_a_mean_and_landmarks_have_none(tmp_path, capsys):
    larger = {"input_height": 80, "input_width": 96}
    for task, code in (("detection", 0), ("landmarks", 1)):
        card = dataclasses.replace(CARD, task=task, layout="sf_tl54" if task == "landmarks" else "",
                                   classes=() if task == "landmarks" else CARD.classes)
        for name, changes in (("1", {}), ("2", larger)):
            write(tmp_path / f"{name}.safetensors", dataclasses.replace(card, **changes), {"w": np.ones(2, np.float32)})
        output = tmp_path / f"{task}.safetensors"
        assert main([str(tmp_path / "1.safetensors"), str(tmp_path / "2.safetensors"), "--output", str(output)]) == code
        assert output.exists() == (code == 0)
    card, _ = read(tmp_path / "detection.safetensors")
    assert (card.input_height, card.input_width) == (80, 96)
    assert "its input_height is not that of" in capsys.readouterr().err


def test_the_output_is_a_model_file(tmp_path, capsys):
    folder = tmp_path / "mean.safetensors"
    folder.mkdir()
    for output, said in ((folder, f"{folder} is a folder: give the name of a file"),
                         (tmp_path, f"--output {tmp_path}: give the name of a file that ends in .safetensors"),
                         (tmp_path / "mean.txt", "mean.txt: give the name of a file that ends in .safetensors")):
        assert main(["detector_nano", "detector_nano", "--output", str(output)]) == 1
        error = capsys.readouterr().err
        assert said in error and error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "mean.txt").exists()


@pytest.mark.parametrize("change", [{"classes": ("dog",)}, {"architecture": {"width": 8}},
                                    {"licence": "research only"}])
def test_different_models_are_refused(tmp_path, capsys, change):
    for name, card in (("1", CARD), ("2", dataclasses.replace(CARD, **change))):
        write(tmp_path / f"{name}.safetensors", card, {"w": np.zeros(2, np.float32)})
    assert main([str(tmp_path / "1.safetensors"), str(tmp_path / "2.safetensors"), "--output",
                 str(tmp_path / "mean.safetensors")]) == 1
    assert "is not that of" in capsys.readouterr().err and not (tmp_path / "mean.safetensors").exists()
