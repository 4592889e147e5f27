"""Training with a teacher: where gradients go, what stays frozen, what reaches the file, and what is refused."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.config import EngineConfig  # noqa: E402
from thermal_kd_ros.engines.torch_engine import TorchEngine  # noqa: E402
from thermal_kd_ros.models.card import ModelError  # noqa: E402
from thermal_kd_ros.models.checkpoint import read  # noqa: E402
from thermal_kd_ros.models.detector import Detector  # noqa: E402
from thermal_kd_ros.models.specs import DetectorSpec  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.detector import train as training  # noqa: E402
from training.detector.comparison import METHODS  # noqa: E402
from training.detector.distillation import DistillConfig  # noqa: E402
from training.detector.evaluate import evaluate_network  # noqa: E402
from training.detector.experiment import DataPart, Experiment, changed, parse_changes  # noqa: E402
from training.detector.objective import Objective  # noqa: E402
from training.detector.teacher import (  # noqa: E402
    MobileNetFeatures,
    check_teacher,
    load_teacher,
    modality,
)
from training.losses.detection import Targets, detection_loss  # noqa: E402

_spec = importlib.util.spec_from_file_location("pairs", Path(__file__).parents[1] / "pairs.py")
pairs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pairs)

CLASSES = ("person", "car")
TINY = Experiment(name="tiny", architecture="face", classes=CLASSES, parts=(DataPart("pairs", "set"),),
                  train_size=(64, 64), input_size=(64, 64), epochs=2, batch=4, warmup_steps=2, mosaic_off=1)
TEACHER = dataclasses.replace(TINY, name="teacher", architecture="teacher", epochs=1)
EVERYTHING = {"distill.lambda_rcs": 0.2, "distill.jitter": 1, "distill.background": 2, "distill.queue": 4,
              "distill.lambda_cms": 1.0, "distill.method": "crosskd", "distill.lambda_method": 0.5}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for split in ("train", "val"):
        pairs.write_pairs(root / "set", split)
    return root


@pytest.fixture(scope="module")
def teachers(data, tmp_path_factory):
    """A visible and a thermal teacher's file."""
    folder = tmp_path_factory.mktemp("teachers")
    return {kind: training.train(dataclasses.replace(TEACHER, modality=kind), folder / kind, data, CPU, 0)
            for kind in ("visible", "thermal")}


def batch(boxes, labels):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(len(boxes), 4, 64, 64, generator=generator)
    return images, Targets(torch.tensor(boxes, dtype=torch.float32), torch.tensor(labels),
                           torch.ones(len(boxes), 2, dtype=torch.bool))


FULL = batch([[[4, 4, 20, 30], [30, 30, 50, 44]], [[8, 8, 40, 24], [40, 2, 52, 30]]], [[0, 1], [1, 0]])
EMPTY = batch([[[0, 0, 0, 0]], [[0, 0, 0, 0]]], [[-2], [-2]])
ONE = batch([[[4, 4, 20, 30]], [[0, 0, 0, 0]]], [[0], [-2]])


def objective(values, teacher=None, architecture="face"):
    torch.manual_seed(0)
    experiment = changed(dataclasses.replace(TINY, architecture=architecture), values)
    return Objective(experiment, training.build_network(experiment), teacher).train()


def random_teacher():
    torch.manual_seed(1)
    return training.build_network(TEACHER).eval().requires_grad_(False)


def test_nothing_switched_on_is_the_detection_loss_alone():
    run = objective({})
    images, targets = FULL
    losses = run(images, targets, 0, 10)
    with torch.autocast("cpu", torch.bfloat16):
        logits, sides = run.detector.predict(run.detector.pyramid(images[:, :1]))
    from thermal_kd_ros.models.detector import cells
    plain = detection_loss(logits, sides, *cells(64, 64, (8, 16, 32)), targets, TINY.loss)
    assert set(losses) == set(plain)
    # The network is in training mode: its batch statistics are those of the same batch both times.
    torch.testing.assert_close(losses["total"], plain["total"])
    assert not list(run.distillation.parameters()) and not run.distillation.state_dict()


def test_crosskd_shows_a_teachers_last_layers_only_what_its_activation_lets_through():
    nets = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        nets.append(Detector(dataclasses.replace(TINY.spec(), activation="relu")).eval())
    student, teacher = nets
    seen = []
    for head in teacher.heads:
        for branch in (head.classify, head.regress):
            branch[1].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0].detach()))
    levels = [net.pyramid(FULL[0][:, :1]) for net in nets]
    crossed = METHODS["crosskd"](student, teacher)
    assert crossed(*levels, torch.zeros(0, 5)).item() > 0
    assert len(seen) == 4 * len(teacher.heads) and all((value >= 0).all() and (value > 0).any() for value in seen)
    # A student that is the teacher has nothing to learn.
    same = METHODS["crosskd"](teacher, teacher)(levels[1], levels[1], torch.zeros(0, 5))
    assert same.item() == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("content", [FULL, ONE, EMPTY], ids=["full", "one", "empty"])
def test_every_loss_is_finite_and_gives_every_weight_a_gradient(method, content):
    # Several processes wait for each other's gradients: none may be missing, whatever a batch holds.
    teacher = random_teacher()
    run = objective({**EVERYTHING, "distill.method": method}, teacher)
    losses = run(*content, step=9, total=10)
    losses["total"].backward()
    assert {"rcs", "cms", method} < set(losses)
    assert all(torch.isfinite(value) for value in losses.values())
    parts = [value for key, value in losses.items()
             if key not in ("total", "classify", "iou", "dfl") and not key.startswith("stride")]
    detection = TINY.loss.classify * losses["classify"] + TINY.loss.iou * losses["iou"] + TINY.loss.dfl * losses["dfl"]
    torch.testing.assert_close(losses["total"], detection + sum(parts))
    missing = [name for name, p in run.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not missing
    assert all(p.grad is None for p in teacher.parameters())
    if content is FULL:
        assert losses[method].abs() > 0 and losses["rcs"] > 0


def test_figures_over_a_class_that_is_not_there_are_refused(data, teachers):
    with pytest.raises(DataError, match="no figure for dog: teacher and set share person, car"):
        evaluate_network(teachers["thermal"], data / "set", "val", ("person", "dog"))


def test_a_student_starts_from_the_same_weights_with_and_without_a_teacher(data, teachers, tmp_path):
    # With hardly a learning rate what is written is what it started from, but for the batch statistics.
    still = dataclasses.replace(TINY, epochs=1, lr=1e-30)
    taught = changed(still, {"distill.lambda_cms": 1.0, "distill.teacher": str(teachers["visible"])})
    alone, guided = (read(training.train(experiment, tmp_path / str(i), data, CPU, 0))[1]
                     for i, experiment in enumerate((still, taught)))
    for name, value in alone.items():
        if "running" not in name:
            np.testing.assert_allclose(value, guided[name], rtol=0, atol=1e-25, err_msg=name)


@pytest.mark.parametrize("loss, values", [("rcs", {"distill.lambda_rcs": 1.0}), ("cms", {"distill.lambda_cms": 1.0})])
def test_contrast_and_alignment_shape_features_and_leave_heads_alone(loss, values):
    run = objective(values, random_teacher())
    run(*FULL, step=9, total=10)[loss].backward()
    assert all(p.grad is None or not p.grad.any() for p in run.detector.heads.parameters())
    assert run.detector.backbone.stem[1][0].weight.grad.abs().max() > 0
    assert run.detector.neck.lateral[0][0].weight.grad.abs().max() > 0


def test_weights_follow_their_schedules():
    config = DistillConfig(lambda_rcs=0.4, warmup=0.1)
    assert [config.rcs_weight(p) for p in (0, 0.39, 0.4, 0.66, 0.67, 1)] == [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]
    assert [config.guidance_ramp(p) for p in (0, 0.05, 0.1, 1)] == [0, 0.5, 1, 1]
    run = objective({"distill.lambda_cms": 2.0, "distill.warmup": 0.1}, random_teacher())
    early, late = (run(*FULL, step=step, total=100)["cms"].item() for step in (5, 50))
    assert early == pytest.approx(late / 2, rel=0.05) and early > 0


def test_the_teacher_is_no_part_of_what_is_trained_or_saved():
    teacher = random_teacher()
    with_teacher, without = objective({"distill.lambda_cms": 1.0}, teacher), objective({})
    extra = set(with_teacher.state_dict()) - set(without.state_dict())
    assert extra == {f"distillation.adapters.{i}.{part}" for i in range(3) for part in ("weight", "bias")}
    with_teacher.train()
    assert not teacher.training


def test_a_distilled_students_file_is_that_of_a_plain_one(data, teachers, tmp_path):
    before = teachers["visible"].read_bytes()
    card, teacher = load_teacher(str(teachers["visible"]))
    frozen = {name: value.clone() for name, value in teacher.state_dict().items()}
    loaded = []
    original = training.teachers.load_teacher
    try:
        training.teachers.load_teacher = lambda name: loaded.append(original(name)) or loaded[-1]
        distilled = changed(TINY, {**EVERYTHING, "distill.teacher": str(teachers["visible"])})
        path = training.train(distilled, tmp_path / "distilled", data, CPU, 0)
    finally:
        training.teachers.load_teacher = original
    for name, value in loaded[0][1].state_dict().items():
        assert torch.equal(value, frozen[name]), f"{name} of the teacher has changed"
    assert teachers["visible"].read_bytes() == before
    plain = training.train(TINY, tmp_path / "plain", data, CPU, 0)
    (card, weights), (plain_card, plain_weights) = read(path), read(plain)
    assert {k: v.shape for k, v in weights.items()} == {k: v.shape for k, v in plain_weights.items()}
    assert card.parameters == plain_card.parameters == sum(
        v.size for k, v in weights.items() if not k.endswith(("running_mean", "running_var", "num_batches_tracked")))
    assert any(not np.array_equal(weights[k], plain_weights[k]) for k in weights)
    engine = TorchEngine(card, weights, path, EngineConfig(device="cpu"))
    boxes, scores = engine.run(np.zeros((1, 1, 64, 64), np.float32))
    assert boxes.shape == (1, 84, 4) and scores.shape == (1, 84, 2)
    scores = evaluate_network(path, data / "set", "val")
    assert {"map50", "map", "ap_small", "duplicate_rate"} <= set(scores)


def test_teachers_are_measured_on_their_own_half_and_are_no_models_of_the_robot(data, teachers):
    for kind, path in teachers.items():
        card, network = load_teacher(str(path))
        assert modality(card) == kind and not network.training
        assert not any(p.requires_grad for p in network.parameters())
        assert "scratch" in card.notes
        assert 0 <= evaluate_network(path, data / "set", "val")["map50"] <= 1
        with pytest.raises(ModelError, match="describes no network that runs here"):
            TorchEngine(*read(path), path, EngineConfig(device="cpu"))


def test_an_interrupted_distillation_goes_on_to_the_same_weights(data, teachers, tmp_path, monkeypatch):
    experiment = changed(TINY, {**EVERYTHING, "distill.teacher": str(teachers["thermal"])})
    straight = training.train(experiment, tmp_path / "straight", data, CPU, 0)
    calls = []

    def interrupted(average, model, step, decay):
        calls.append(step)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(average, model, step, decay)

    original = training.update_ema
    monkeypatch.setattr(training, "update_ema", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.train(experiment, tmp_path / "broken", data, CPU, 0)
    monkeypatch.setattr(training, "update_ema", original)
    again = training.train(experiment, tmp_path / "broken", data, CPU, 0)
    weights, other = read(straight)[1], read(again)[1]
    for name in weights:
        np.testing.assert_array_equal(weights[name], other[name], err_msg=name)


def test_levels_are_aligned_as_much_as_they_are_weighed():
    teacher, found = random_teacher(), {}
    for levels in ((), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 2.0, 0.0)):
        found[levels] = objective({"distill.lambda_cms": 1.0, "distill.levels": levels}, teacher)(
            *FULL, step=9, total=10)["cms"].item()
    one, two, three = (found[levels] for levels in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    assert len({one, two, three}) == 3
    assert found[()] == found[1.0, 1.0, 1.0] == pytest.approx((one + two + three) / 3, rel=1e-5)
    assert found[1.0, 2.0, 0.0] == pytest.approx((one + 2 * two) / 3, rel=1e-5)
    with pytest.raises(ValueError, match="a weight for each of the strides 8, 16, 32"):
        objective({"distill.lambda_cms": 1.0, "distill.levels": (1.0, 1.0)}, teacher)
    for levels, said in (((0.0, 0.0, 0.0), "leaves every level out"), ((1.0, -1.0, 0.0), "levels\\[1\\]")):
        with pytest.raises(ValueError, match=said):
            changed(TINY, {"distill.levels": levels}).distill.check()


def test_what_does_not_go_together_is_refused(data, teachers, tmp_path):
    def run(values, **changes):
        training.train(changed(dataclasses.replace(TINY, **changes), values), tmp_path / "run", data, CPU, 0)

    with pytest.raises(ValueError, match="need a teacher"):
        run({"distill.lambda_cms": 1.0})
    with pytest.raises(ModelError, match="neither"):
        run({"distill.lambda_cms": 1.0, "distill.teacher": "nobody"})
    with pytest.raises(ModelError, match="same classes"):
        run({"distill.lambda_cms": 1.0, "distill.teacher": str(teachers["visible"])}, classes=("car", "person"))
    with pytest.raises(ValueError, match="align is one of"):
        run({"distill.align": "l3"})
    with pytest.raises(ValueError, match="one without the other"):
        run({"distill.lambda_method": 1.0})
    with pytest.raises(ValueError, match="unknown comparison"):
        run({"distill.method": "magic", "distill.lambda_method": 1.0, "distill.teacher": str(teachers["visible"])})
    with pytest.raises(DataError, match="alone"):
        run({"distill.lambda_cms": 1.0, "distill.teacher": str(teachers["visible"])}, parts=(DataPart("coco", "set"),))
    with pytest.raises(ValueError, match="only a teacher"):
        run({"modality": "visible"})
    card, _ = load_teacher(str(teachers["visible"]))
    with pytest.raises(ModelError, match="strides"):
        check_teacher(card, DetectorSpec(classes=2), CLASSES)
    with pytest.raises(ModelError, match="a teacher must be a detector"):
        load_teacher("landmarks_light")


def test_fields_are_changed_by_name_and_checked():
    values = parse_changes(["distill.lambda_rcs=1", "train_size=[32, 64]", "distill.align=mse", "name=x"])
    experiment = changed(TINY, values)
    assert experiment.distill.lambda_rcs == 1.0 and experiment.train_size == (32, 64)
    assert experiment.distill.align == "mse" and experiment.name == "x"
    assert json.loads(experiment.to_json())["distill"]["align"] == "mse"
    for bad in ("distill.lambda=1", "distil=1", "name.first=1"):
        with pytest.raises(ValueError, match="no field"):
            changed(TINY, parse_changes([bad]))
    for bad in ("epochs=1.5", "distill.align=3", "batch=many"):
        with pytest.raises(ValueError, match="takes"):
            changed(TINY, parse_changes([bad]))
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_changes(["epochs"])


def test_the_backbones_features_are_torchvisions():
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    whole, mine = mobilenet_v2(weights=None).eval(), MobileNetFeatures().eval()
    mine.load_state_dict({k: whole.state_dict()[k.replace("layers.", "features.", 1)] for k in mine.state_dict()})
    images = torch.rand(1, 3, 64, 96)
    features = mine(images)
    assert [tuple(f.shape[1:]) for f in features] == [(24, 16, 24), (32, 8, 12), (96, 4, 6), (320, 2, 3)]
    normed = (images - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    torch.testing.assert_close(features[-1], whole.features[:18](normed))
    grey = images[:, :1]
    torch.testing.assert_close(mine(grey)[0], mine(grey.expand(-1, 3, -1, -1))[0])


def test_other_files_than_torchvisions_weights_are_refused(tmp_path):
    wrong = tmp_path / "mobilenet_v2-b0353104.pth"
    wrong.write_bytes(b"something else")
    with pytest.raises(ModelError, match="checksum"):
        MobileNetFeatures(str(wrong))
    with pytest.raises(ModelError, match="no file"):
        MobileNetFeatures(str(tmp_path / "absent.pth"))


def test_students_and_teachers_share_the_pyramids_form():
    student, teacher = training.build_network(dataclasses.replace(TINY, architecture="nano")), random_teacher()
    images = torch.rand(1, 3, 64, 96)
    shapes = [tuple(level.shape) for level in student.eval().pyramid(images[:, :1])]
    assert shapes == [tuple(level.shape) for level in teacher.pyramid(images)]
    assert isinstance(teacher, Detector)
