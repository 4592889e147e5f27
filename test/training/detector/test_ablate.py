"""Comparisons: what is done is not done again, and tables say what the runs gave."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.detector import ablate  # noqa: E402
from training.detector.ablation_report import Figures, differences, plot, table  # noqa: E402
from training.detector.experiment import DataPart, Experiment, changed  # noqa: E402
from training.pages import place  # noqa: E402

_spec = importlib.util.spec_from_file_location("pairs", Path(__file__).parents[1] / "pairs.py")
pairs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pairs)

TINY = ablate.Grid(
    "tiny", Experiment(name="student", architecture="face", classes=("person", "car"), epochs=1, batch=4,
                       parts=(DataPart("pairs", "set"),), train_size=(64, 64), input_size=(64, 64), warmup_steps=1),
    {"base": {}, "contrast": {"distill.lambda_rcs": 0.2},
     "pkd, thermal": {"distill.lambda_cms": 1.0, "distill.teacher": "thermal"}},
    {"thermal": {"architecture": "teacher"}}, start={"epochs": 1})


def test_a_comparison_goes_on_and_writes_its_table_and_plot(tmp_path, monkeypatch, capsys):
    data = tmp_path / "data"
    for split in ("train", "val"):
        pairs.write_pairs(data / "set", split, 4)
    monkeypatch.setitem(ablate.GRIDS, "tiny", TINY)
    monkeypatch.setattr(ablate, "CLASSES", ("person", "car"))
    page = tmp_path / "RESULTS.md"
    page.write_text("before\n<!-- tiny: begin -->\nold\n<!-- tiny: end -->\nafter\n")
    arguments = ["tiny", "--output", str(tmp_path / "runs"), "--data", str(data), "--results", str(page),
                 "--device", "cpu"]
    trained = []
    original = ablate.train
    monkeypatch.setattr(ablate, "train", lambda experiment, *rest: trained.append(experiment) or original(
        experiment, *rest))
    assert ablate.main([*arguments, "--seeds", "0"]) == 0
    assert len(trained) == 5  # start, base, contrast, teacher, pkd
    students = [e for e in trained[1:] if e.architecture != "teacher"]
    assert trained[0].start == "" and all(e.start.endswith("start.safetensors") for e in students)
    assert trained[-1].distill.teacher.endswith("teacher_thermal.safetensors")
    assert ablate.main([*arguments, "--seeds", "0", "1", "--rows", "contrast"]) == 0
    assert [(e.seed, e.distill.lambda_rcs) for e in trained[5:]] == [(1, 0.0), (1, 0.2)]
    text = page.read_text()
    assert text.startswith("before") and text.endswith("after\n") and "old" not in text
    scores = json.loads((tmp_path / "runs" / "tiny" / "base" / "0" / "scores.json").read_text())["scores"]
    assert {"map50", "map", "ap_small", "duplicate_rate", "duplicate_rate_loose"} <= set(scores)
    teacher = json.loads((tmp_path / "runs" / "tiny" / "teacher_thermal" / "scores.json").read_text())["scores"]
    assert "duplicate_rate" in teacher and "duplicate_rate_loose" not in teacher
    assert "| base | 0 1 |" in text and '--seeds 0 1 --rows "contrast"' in text
    assert "| pkd, thermal | 0 |" in text and "*thermal teacher itself*" in text  # a row alone leaves the others there
    assert (tmp_path / "ablation_tiny.png").stat().st_size > 5000
    capsys.readouterr()
    assert ablate.main([*arguments, "--seeds", "0", "--set", "lr=0.01"]) == 1
    assert "another experiment" in capsys.readouterr().err and len(trained) == 7, "told before anything is trained"
    assert ablate.main([*arguments, "--seeds", "0", "--set", "seed=5"]) == 1
    assert "--set seed: that is given by this comparison" in capsys.readouterr().err
    for whole in ('distill={"lambda_rcs":0.3}', "distill.lambda_rcs=0.3"):
        assert ablate.main([*arguments, "--seeds", "0", "--set", whole]) == 1
        assert f"--set {whole.split('=')[0]}: that is given by this comparison" in capsys.readouterr().err
    # What is set goes for starts and teachers too, is told with each row, and leaves the published table alone.
    published = tmp_path / "published.md"
    published.write_text(text)
    monkeypatch.setattr(ablate, "RESULTS", published)
    del arguments[5:7]
    arguments[2] = str(tmp_path / "other")
    assert ablate.main([*arguments, "--seeds", "0", "--rows", "pkd, thermal", "--set", "lr=0.01"]) == 0
    assert '--rows "pkd, thermal" --set lr=0.01' in capsys.readouterr().out and published.read_text() == text
    assert len(trained) == 11 and all(experiment.lr == 0.01 for experiment in trained[-4:])


def figures():
    return [Figures(row, seed, {"map50": value, "map": value / 2, "ap_small": 0.1, "duplicate_rate": 0.02 * seed,
                                "duplicate_rate_loose": 0.2})
            for row, values in {"base": (0.50, 0.54, 0.52), "contrast": (0.53, 0.55, 0.56)}.items()
            for seed, value in enumerate(values)]


def test_tables_hold_means_spreads_and_paired_differences():
    np.testing.assert_allclose(differences(figures(), "contrast", "map50"), [0.03, 0.01, 0.04])
    teacher = {name: score for name, score in figures()[0].scores.items() if name != "duplicate_rate_loose"}
    lines = table("grid", "Title", figures(), {"visible": teacher}).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| base", "| contrast", "| *visible teacher itself*"]
    assert "0.520 ± 0.020" in lines[2] and "0.020 ± 0.020" in lines[2]
    assert "0.547 ± 0.015" in lines[3] and "+0.027 ± 0.015" in lines[3]
    assert '`ablate grid --seeds 0 1 2 --rows "contrast"`' in lines[3] and "0.500" in lines[4]
    assert len({line.count("|") for line in lines}) == 1


def test_one_seed_and_equal_scores_can_be_drawn(tmp_path):
    same = [dataclasses.replace(entry, scores={**entry.scores, "map50": 0.5}) for entry in figures()[:1]]
    plot(tmp_path / "one.png", "one", same)
    assert (tmp_path / "one.png").exists() and "0.500 |" in table("g", "t", same, {})


def test_the_results_page_has_a_place_for_every_table(tmp_path):
    page = tmp_path / "RESULTS.md"
    page.write_text(ablate.RESULTS.read_text(encoding="utf-8"), encoding="utf-8")
    for name in ablate.GRIDS:
        place(f"table of {name}", name, page)
        assert f"table of {name}" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("grid", ablate.GRIDS.values(), ids=list(ablate.GRIDS))
def test_every_row_of_every_grid_is_an_experiment(grid):
    assert next(iter(grid.rows)) == "base" and not grid.rows["base"]
    for row in grid.rows.values():
        experiment = changed(grid.base, row)
        experiment.distill.check()
        assert experiment.distill.teacher in ("", *grid.teachers)
    for teacher in grid.teachers.values():
        spec = changed(grid.base, teacher).spec()
        assert spec.strides == grid.base.spec().strides
        assert spec.pyramid_channels == grid.base.spec().pyramid_channels


def test_what_cannot_be_trained_is_told_before_anything_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablate, "train", lambda *_: pytest.fail("trained"))
    arguments = ["roadscene", "--output", str(tmp_path / "runs"), "--data", str(tmp_path), "--device", "cpu",
                 "--results", str(ablate.RESULTS)]
    assert ablate.main([*arguments, "--imagenet", str(tmp_path / "none.pth")]) == 1
    assert "none.pth: there is no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        ablate.main([*arguments, "--seeds", "0", "-1"])
    assert "--seeds" in capsys.readouterr().err
