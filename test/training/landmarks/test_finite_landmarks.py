"""What is not finite stops a landmark training, and takes the place of no good file."""

import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.specs import LandmarkerSpec  # noqa: E402
from training.landmarks import fit as fitting  # noqa: E402

CHOSEN = fitting.Settings(name="tiny", spec=LandmarkerSpec(size=32, widths=(8, 8, 8), depths=(1, 1, 1)), epochs=2,
                          batch=5, warmup_steps=1)
CPU = torch.device("cpu")


class Crops(torch.utils.data.Dataset):
    """Ten crops of noise: two steps an epoch."""

    epoch = 0

    def __len__(self):
        return 10

    def __getitem__(self, i):
        generator = torch.Generator().manual_seed(100 * self.epoch + i)
        return torch.rand(1, 32, 32, generator=generator), 32 * torch.rand(54, 2, generator=generator)


def plain(model, batch, progress):
    return fitting.task_loss(model(batch[0]), batch[1], 1.0)


def steep(model, batch, progress):
    """A finite loss whose gradient is no number in the second epoch's last step: the root's slope at 0 is infinite."""
    loss, terms = plain(model, batch, progress)
    return loss + torch.sqrt((0 if progress == 0.75 else 1) * next(model.parameters()).square().sum()), terms


def run(output, objective):
    return fitting.fit(CHOSEN, fitting.build(CHOSEN, CPU), Crops(), objective, output, CPU, 0, fitting.Sources())


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_gradient_that_is_no_number_stops_at_its_own_step_and_leaves_the_files(tmp_path):
    for _ in range(2):  # A second start stops at the same step: no bad weights were saved.
        with pytest.raises(FloatingPointError, match="the loss is finite but its gradient's norm is nan at step 3; "
                                                     "lower lr"):
            run(tmp_path, steep)
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        assert state["step"] == 2 and all(torch.isfinite(value).all() for value in state["average"].values())


def test_weights_that_are_no_numbers_are_not_saved(tmp_path, monkeypatch):
    update_ema, before = fitting.update_ema, {}

    def broken(average, model, step, decay):
        update_ema(average, model, step, decay)
        if step == 2:
            before.update(files(tmp_path))
            next(average.parameters()).data.fill_(float("nan"))

    monkeypatch.setattr(fitting, "update_ema", broken)
    with pytest.raises(FloatingPointError, match="after 4 steps .* is not finite; what was saved before is kept"):
        run(tmp_path, plain)
    assert set(before) == {"state.pt", "tiny.safetensors", "log.jsonl"} and files(tmp_path) == before
