"""Comparison losses as they are trained: what CRD remembers, and what of it is kept."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.card import ModelError  # noqa: E402
from thermal_kd_ros.models.checkpoint import read  # noqa: E402
from thermal_kd_ros.models.detector import Detector  # noqa: E402
from training.detector import ablate  # noqa: E402
from training.detector import train as training  # noqa: E402
from training.detector.comparison import METHODS  # noqa: E402
from training.detector.distillation import Distillation, DistillConfig  # noqa: E402
from training.detector.experiment import DataPart, Experiment, changed, load  # noqa: E402
from training.losses.crd import crd  # noqa: E402

_spec = importlib.util.spec_from_file_location("pairs", Path(__file__).parents[1] / "pairs.py")
pairs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pairs)

TINY = Experiment(name="tiny", architecture="face", classes=("person", "car"), parts=(DataPart("pairs", "set"),),
                  train_size=(64, 64), input_size=(64, 64), epochs=2, batch=4, warmup_steps=1)
CRD = {"distill.method": "crd", "distill.lambda_method": 1.0}
CPU = torch.device("cpu")


def networks():
    torch.manual_seed(0)
    return Detector(TINY.spec()).eval(), Detector(TINY.spec()).eval()


def batch(seed, student, teacher, count=3):
    """Random pyramids with the rois of ``count`` objects, (K, 5)."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(2, 1, 64, 64, generator=generator)
    corner = 30 * torch.rand(count, 2, generator=generator)
    image = torch.randint(2, (count, 1), generator=generator)
    with torch.no_grad():
        # As large as theirs, but not theirs: what untrained networks make of two images is the same to six digits.
        levels = [[torch.randn(level.shape, generator=generator) for level in network.pyramid(images)]
                  for network in (student, teacher)]
    return *levels, torch.cat([image, corner, corner + 20], 1)


def test_crd_contrasts_with_what_the_teacher_showed_before():
    student, teacher = networks()
    run = METHODS["crd"](student, teacher, memory=5)
    batches = [batch(seed, student, teacher) for seed in range(3)]
    embedded = [run.both(*content) for content in batches]
    for i, (content, (mine, other)) in enumerate(zip(batches, embedded, strict=True)):
        # The newest first, and no more than are remembered.
        before = torch.cat([theirs for _, theirs in embedded[:i][::-1]])[:5] if i else None
        loss = run(*content)
        torch.testing.assert_close(loss, crd(mine, other, before))
        if i:
            assert abs(loss - crd(mine, other)) > 1e-3, "what is remembered makes no difference: this tests nothing"
    run.eval()
    kept = run.queue.content()[0].clone()
    run(*batches[0])
    assert torch.equal(run.queue.content()[0], kept), "only training is remembered"


def test_what_is_remembered_learns_nothing_and_alone_objects_have_negatives():
    student, teacher = networks()
    run, alone = METHODS["crd"](student, teacher, memory=8), batch(1, student, teacher, count=1)
    # What is remembered is of another object: beside its own like, the gradient of an object is nothing.
    assert run(*batch(2, student, teacher, count=1)).item() == 0.0
    loss = run(*alone)
    assert loss.item() > 0
    loss.backward()
    assert not run.queue.store.requires_grad
    assert max(p.grad.abs().max().item() for p in run.student.parameters() if p.grad is not None) > 1e-4
    assert METHODS["crd"](student, teacher)(*alone).item() == 0.0


def test_the_memory_is_an_option_and_on_unless_it_is_said():
    student, teacher = networks()
    for values, size in (({}, 512), ({"memory": 0}, None), ({"memory": 32}, 32)):
        config = DistillConfig(method="crd", lambda_method=1.0, teacher="x", **values)
        config.check()
        queue = Distillation(config, student, teacher).comparison.queue
        assert (queue.store.shape[1] if queue else None) == size
    with pytest.raises(ValueError, match="distill.memory -1: give at least 0"):
        DistillConfig(memory=-1).check()
    with pytest.raises(ValueError, match="distill.memory takes int"):
        changed(TINY, {"distill.memory": 0.5})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for split in ("train", "val"):
        pairs.write_pairs(root / "set", split)
    return root


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    experiment = changed(TINY, {"name": "teacher", "architecture": "teacher", "epochs": 1})
    return training.train(experiment, tmp_path_factory.mktemp("teacher"), data, CPU, 0)


def test_the_memory_goes_on_with_the_run_and_not_into_the_student(data, teacher, tmp_path, monkeypatch):
    experiment = changed(TINY, {**CRD, "distill.teacher": str(teacher), "distill.memory": 12})
    straight = training.train(experiment, tmp_path / "straight", data, CPU, 0)
    state = torch.load(tmp_path / "straight" / "state.pt", weights_only=True)["objective"]
    remembered = {name: value.shape for name, value in state.items() if "queue" in name}
    assert remembered["distillation.comparison.queue.store"] == (1, 12, 128)
    assert state["distillation.comparison.queue.filled"].tolist() == [12]
    weights = read(straight)[1]
    assert set(weights) == set(Detector(experiment.spec()).state_dict())

    update_ema, steps = training.update_ema, []

    def stop(*rest):
        steps.append(rest)
        if len(steps) == 4:
            raise KeyboardInterrupt
        update_ema(*rest)

    monkeypatch.setattr(training, "update_ema", stop)
    with pytest.raises(KeyboardInterrupt):
        training.train(experiment, tmp_path / "broken", data, CPU, 0)
    monkeypatch.setattr(training, "update_ema", update_ema)
    again = read(training.train(experiment, tmp_path / "broken", data, CPU, 0))[1]
    for name, value in weights.items():
        np.testing.assert_array_equal(value, again[name], err_msg=name)


def test_the_grid_tells_crd_with_its_memory_from_crd_without():
    for grid in ("roadscene", "pairs"):
        rows = ablate.GRIDS[grid].rows
        base = ablate.GRIDS[grid].base
        assert changed(base, rows["crd"]).distill.memory > 0 == changed(base, rows["crd, in-batch"]).distill.memory
        folders = [ablate.Comparison(ablate.GRIDS[grid], Path("x"), Path("x"), CPU).folder(row) for row in rows]
        assert len(set(folders)) == len(rows)


def test_every_row_of_the_results_page_is_one_of_its_grid():
    page = ablate.RESULTS.read_text(encoding="utf-8")
    for name, grid in ablate.GRIDS.items():
        own = page.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0]
        rows = [line.split("|")[1].strip() for line in own.strip().splitlines()[2:]]
        commands = re.findall(r'--rows "([^"]*)"', own)
        assert commands == [row for row in rows if not row.startswith("*")] and commands
        assert set(commands) <= set(grid.rows), name


@pytest.mark.parametrize("architecture", ["small", "nano_stride4"])
def test_a_student_with_a_level_of_stride_4_learns_from_the_teacher_made_for_it(data, teacher, tmp_path, architecture):
    changes = {"architecture": architecture, "distill.lambda_cms": 1.0, "epochs": 1}
    with pytest.raises(ModelError, match="train one for it, with --set student=NAME"):
        training.train(changed(TINY, {**changes, "distill.teacher": str(teacher)}), tmp_path / "no", data, CPU, 0)
    made = training.train(changed(TINY, {"name": "teacher", "architecture": "teacher", "student": architecture,
                                         "epochs": 1}), tmp_path / "teacher", data, CPU, 0)
    path = training.train(changed(TINY, {**changes, "distill.teacher": str(made)}), tmp_path / "yes", data, CPU, 0)
    assert read(made)[0].architecture["strides"] == read(path)[0].architecture["strides"] == [4, 8, 16, 32]
    pyramid = load("nano", {"architecture": architecture}).spec().pyramid_channels
    assert tuple(read(made)[0].architecture["pyramid_channels"]) == pyramid
