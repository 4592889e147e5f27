"""Losses compared: every row from the same start on the same crops, measured, kept, and told with its spread."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.checkpoint import read  # noqa: E402
from thermal_kd_ros.models.landmarker import LandmarkerSpec  # noqa: E402
from thermal_kd_ros.models.onnx_file import weights_digest  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.data.head_cache import HeadCache  # noqa: E402
from training.landmarks import compare_losses  # noqa: E402
from training.landmarks.bench import Effort  # noqa: E402
from training.landmarks.evaluate import predict_crops, summary  # noqa: E402
from training.landmarks.evaluate_heads import held_out_crops  # noqa: E402
from training.losses.landmarks import LOSSES  # noqa: E402
from training.pages import marks  # noqa: E402

CPU = torch.device("cpu")
SPEC = LandmarkerSpec(size=64, widths=(8, 16, 24), depths=(1, 1, 1))
EFFORT = Effort(pairs=8, epochs=1, batch=4, variations=1, seeds=2)


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("before\n" + "\n".join(marks(compare_losses.TABLE)) + "\nafter")
    return path


def test_losses_share_start_and_crops_and_are_measured_apart(cache, page, tmp_path, monkeypatch):
    starts, fit = [], compare_losses.fit

    def watched(settings, model, crops, *rest):
        starts.append((settings, [value.clone() for value in model.state_dict().values()],
                       [crops[i][0] for i in range(len(crops))]))
        return fit(settings, model, crops, *rest)

    monkeypatch.setattr(compare_losses, "fit", watched)
    output = tmp_path / "runs"
    arguments = ([cache], cache, tmp_path, output, page, EFFORT, CPU, SPEC)
    compare_losses.compare(*arguments)
    assert [(settings.loss.kind, settings.seed) for settings, _, _ in starts] == [
        (kind, seed) for seed in (0, 1) for kind in LOSSES]
    for seed in (0, 1):
        own = [start for start in starts if start[0].seed == seed]
        assert all(torch.equal(a, b) for other in own[1:] for a, b in zip(own[0][1], other[1], strict=True))
        assert all(len(crops) == 8 for _, _, crops in own)
        assert all(np.array_equal(a, b) for other in own[1:] for a, b in zip(own[0][2], other[2], strict=True))
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter")
    found = {line.split("|")[1].strip(): [cell.strip() for cell in line.strip("|").split("|")[1:]]
             for line in text.splitlines() if line[:1] == "|"}
    held_out = held_out_crops(HeadCache([cache]), 64)
    for kind in LOSSES:
        errors = [summary(predict_crops(str(output / f"{kind}-{seed}" / "landmarks.safetensors"), *held_out))
                  for seed in (0, 1)]
        cells = found[kind.replace("_", " ")]
        nme = [error["nme_percent"] for error in errors]
        assert cells[0] == "2" and cells[1] == f"{np.mean(nme):.2f} ± {np.std(nme, ddof=1):.2f}"
        assert cells[3].startswith(f"{np.mean([error['calibration_error'] for error in errors]):.3f}")
        assert cells[5] == ""  # no recorded faces there
    trained = [read(output / f"{kind}-0" / "landmarks.safetensors") for kind in LOSSES]
    assert len({weights_digest(weights) for _, weights in trained}) == len(LOSSES)
    assert ["Wing (", "adaptive Wing", "Gaussian"] == [said for (card, _), said in zip(
        trained, ("Wing (", "adaptive Wing", "Gaussian"), strict=True) if f"loss: {said}" in card.notes]
    # What is finished is not run again, and its folder keeps to what it was made with.
    starts.clear()
    compare_losses.compare(*arguments)
    assert not starts and page.read_text() == text
    with pytest.raises(DataError, match="holds runs with other epochs: give another --output"):
        compare_losses.compare(*arguments[:5], Effort(pairs=8, epochs=2, batch=4, variations=1, seeds=2), CPU, SPEC)


def test_mistakes_are_told_before_anything_is_trained(cache, page, tmp_path, capsys):
    arguments = ["--heads", str(cache), "--held-out", str(tmp_path / "none.npz"), "--data", str(tmp_path), "--output",
                 str(tmp_path / "runs"), "--report", str(page), "--device", "cpu", "--variations", "1"]
    assert compare_losses.main(arguments) == 1
    assert "none.npz is missing" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    assert compare_losses.main([*arguments, "--data", str(tmp_path / "nowhere")]) == 1
    assert "--data" in capsys.readouterr().err
    page.write_text("no table here")
    assert compare_losses.main(arguments) == 1
    assert "has no lines '<!-- losses: begin -->'" in capsys.readouterr().err
    assert compare_losses.main([*arguments, "--epochs", "0"]) == 1
    assert "--epochs" in capsys.readouterr().err


def test_a_table_of_rows_that_are_not_all_there():
    rows = [{"method": "wing", "on": {"rendered": dict.fromkeys(
        ("nme_percent", "failure_rate_8_percent", "calibration_error", "relative_risk_area"), value)}}
        for value in (1.0, 2.0)]
    lines = compare_losses.table(rows).splitlines()
    assert lines[2] == "| wing | 2 | 1.50 ± 0.71 | 1.50 ± 0.71 | 1.500 ± 0.707 | 1.500 ± 0.707 |  |  |  |  |"
