"""What is not finite stops a training with its batch saved, and takes the place of no good file."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.checkpoint import read  # noqa: E402
from training.data.mixture import collate  # noqa: E402
from training.detector import train as training  # noqa: E402
from training.detector.experiment import EXPERIMENTS, DataPart, Experiment  # noqa: E402

TINY = Experiment(name="tiny", architecture="face", classes=("person",), parts=(DataPart("coco", "set"),),
                  train_size=(64, 64), input_size=(64, 96), epochs=2, batch=4, warmup_steps=2, mosaic_off=1)
NO_NUMBER = dataclasses.replace(TINY, loss=dataclasses.replace(TINY.loss))
# Which nobody can ask for: it stands for a loss that goes wrong.
object.__setattr__(NO_NUMBER.loss, "iou", float("nan"))
CPU = torch.device("cpu")
EPOCH = 4
"""Steps of an epoch."""


@pytest.fixture
def steep(monkeypatch):
    """Makes the gradient, not the loss, of the steps for which a condition holds something that is no number."""
    forward = training.Objective.forward

    def use(condition):
        def bent(self, images, targets, step, total):
            losses = forward(self, images, targets, step, total)
            if condition(step):
                # The root's slope at 0 is infinite.
                losses["total"] = losses["total"] + torch.sqrt(0 * next(self.parameters()).sum())
            return losses

        monkeypatch.setattr(training.Objective, "forward", bent)

    return use


@pytest.fixture
def scaled(monkeypatch):
    """An active gradient scaler on a CPU too, as on a GPU; gives its scales."""
    scales, scaler = [], torch.amp.GradScaler

    class Noted(scaler):
        def update(self, new_scale=None):
            super().update(new_scale)
            scales.append(self.get_scale())

    monkeypatch.setattr(torch.amp, "GradScaler", lambda enabled: Noted("cpu"))
    return scales


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".pt", ".safetensors")
            and not path.name.startswith("bad_batch")}


def finite(folder):
    state = torch.load(folder / "state.pt", weights_only=True)
    return all(torch.isfinite(value).all() for part in ("objective", "average") for value in state[part].values()) and \
        all(np.isfinite(value).all() for value in read(folder / "tiny.safetensors")[1].values())


def test_a_gradient_that_is_no_number_stops_at_its_own_batch_and_leaves_the_files(tmp_path, data, steep, monkeypatch):
    straight = training.train(TINY, tmp_path / "straight", data, CPU, 0)
    training.train(dataclasses.replace(TINY, epochs=1), tmp_path / "first", data, CPU, 0)
    run, forward = tmp_path / "run", training.Objective.forward
    steep(lambda step: step == EPOCH + 1)
    for _ in range(2):  # A second start stops at the same step: no bad weights were saved.
        with pytest.raises(FloatingPointError, match=r"the loss is finite but its gradient's norm is nan at step 5; "
                                                     r"the batch is in .*bad_batch\.pt\. Lower lr"):
            training.train(TINY, run, data, CPU, 0)
        assert torch.load(run / "state.pt", weights_only=True)["step"] == EPOCH and finite(run)
    mixture = training.build_mixture(TINY, data)
    training.begin_epoch(mixture, TINY, 1)
    images, targets = collate([mixture[i] for i in range(4, 8)])
    saved = torch.load(run / "bad_batch.pt", weights_only=True)
    assert torch.equal(saved["images"], images) and torch.equal(saved["boxes"], targets.boxes)
    monkeypatch.setattr(training.Objective, "forward", forward)
    again = training.train(TINY, run, data, CPU, 0)
    for name, value in read(straight)[1].items():
        np.testing.assert_array_equal(value, read(again)[1][name], err_msg=name)


def test_a_scaler_may_skip_some_steps_but_not_too_many_in_a_row(tmp_path, data, steep, scaled, monkeypatch):
    monkeypatch.setattr(training, "MOST_SKIPS", 3)
    # Three in a row, a good one, and three more.
    steep(lambda step: step in (0, 1, 2, 4, 5, 6))
    training.train(TINY, tmp_path / "some", data, CPU, 0)
    assert np.log2(scaled).tolist() == [15, 14, 13, 13, 12, 11, 10, 10] and finite(tmp_path / "some")
    steep(lambda step: step >= EPOCH)
    with pytest.raises(FloatingPointError, match="norm is nan at step 7, the last of 4 such steps in a row; the batch"):
        training.train(TINY, tmp_path / "many", data, CPU, 0)
    assert torch.load(tmp_path / "many" / "state.pt", weights_only=True)["step"] == EPOCH and finite(tmp_path / "many")
    assert (tmp_path / "many" / "bad_batch.pt").exists()


@pytest.mark.parametrize("averaged", [False, True])
def test_weights_that_are_no_numbers_are_not_saved(tmp_path, data, averaged, monkeypatch):
    training.train(dataclasses.replace(TINY, epochs=1), tmp_path / "first", data, CPU, 0)
    run, update_ema = tmp_path / "run", training.update_ema

    def broken_after(last):
        def broken(average, model, step, decay):
            update_ema(average, model, step, decay)
            if step == last:
                (average if averaged else model).backbone.stem[1][1].running_var.fill_(float("inf"))

        monkeypatch.setattr(training, "update_ema", broken)

    broken_after(EPOCH)
    with pytest.raises(FloatingPointError, match="after 6 steps .*running_var is not finite; what was saved before is"):
        training.train(TINY, run, data, CPU, 0, state_steps=2)
    before = files(run)
    assert torch.load(run / "state.pt", weights_only=True)["step"] == EPOCH and finite(run) and len(before) == 2
    broken_after(2 * EPOCH - 1)
    with pytest.raises(FloatingPointError, match="after 8 steps .*running_var"):
        training.train(TINY, run, data, CPU, 0)
    assert files(run) == before


def test_a_full_disk_hides_no_loss_that_is_no_number(tmp_path, data, little_room, monkeypatch, capsys):
    monkeypatch.setitem(EXPERIMENTS, "tiny", NO_NUMBER)
    run = tmp_path / "run"
    with little_room():
        assert training.main(["tiny", "--output", str(run), "--data", str(data), "--device", "cpu",
                              "--workers", "0"]) == 1
    assert (f"error: the loss is nan at step 0; the batch could not be saved ([Errno 27] File too large: "
            f"'{run / 'bad_batch.pt'}'). Lower lr.\n") in capsys.readouterr().err
    assert not list(run.iterdir())
