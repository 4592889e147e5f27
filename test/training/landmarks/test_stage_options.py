"""What the stages' command lines choose reaches the run, its identity and its card."""

import dataclasses
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.checkpoint import read_card  # noqa: E402
from thermal_kd_ros.models.landmarker import Landmarker  # noqa: E402
from thermal_kd_ros.models.specs import LandmarkerSpec  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.data.paired_crops import PairConfig  # noqa: E402
from training.data.rendered_faces import CropConfig  # noqa: E402
from training.landmarks import compress, teacher, train, transfer  # noqa: E402
from training.landmarks.fit import HEADS_LICENCE, task_loss  # noqa: E402
from training.losses import dikd  # noqa: E402
from training.losses.landmarks import LOSSES, PointLoss  # noqa: E402
from training.losses.schedules import DecaySchedule  # noqa: E402

CPU = torch.device("cpu")
TINY = LandmarkerSpec(size=32, widths=(8, 8, 8), depths=(1, 1, 1))
STAGES = {train: ["--heads", "h"], teacher: ["--pairs", "p"], transfer: ["--pairs", "p", "--teacher", "t"],
          compress: ["--heads", "h", "--teacher", "t"]}
LOSS = ["--loss", "adaptive_wing", "--loss-width", "4", "--loss-curvature", "0.5", "--likelihood", "0.3"]
DECAY = ["--decay", "exponential", "--decay-start", "0.8", "--decay-rate", "3", "--floor", "0.1"]
PAIRS = ["--misregistration", "0.05", "--night", "0.6"]


@pytest.fixture
def chosen(monkeypatch):
    """Runs a stage's command line as far as its settings; returns these."""
    def settings(stage, *more):
        given = []
        monkeypatch.setattr(stage, "train", lambda settings, *rest: given.append(settings) or Path("model"))
        assert stage.main([*STAGES[stage], "--output", "o", "--device", "cpu", *more]) == 0
        return given[0]

    return settings


@pytest.mark.parametrize("stage", STAGES)
def test_the_defaults_of_a_command_line_are_those_of_its_settings(stage, chosen):
    kind = {train: train.PlainSettings, teacher: teacher.TeacherSettings, transfer: transfer.TransferSettings,
            compress: compress.CompressSettings}[stage]
    assert chosen(stage) == kind()
    found = chosen(stage, *LOSS)
    assert found == dataclasses.replace(kind(), loss=PointLoss("adaptive_wing", 4.0, 0.5), likelihood=0.3)


def test_switches_of_distillation_reach_their_stages(chosen):
    decay = DecaySchedule("exponential", 0.8, 0.1, 3.0)
    assert chosen(compress, *DECAY) == dataclasses.replace(compress.CompressSettings(), decay=decay)
    pairs = PairConfig(misregistration=0.05, night=0.6)
    assert chosen(teacher, *PAIRS) == dataclasses.replace(teacher.TeacherSettings(), crops=pairs)
    found = chosen(transfer, *DECAY, *PAIRS, "--injection", "add", "--gain", "0.4", "--keep", "0.7", "--bridge-forward")
    assert found == dataclasses.replace(transfer.TransferSettings(), decay=decay, crops=pairs, injection="add",
                                        gain=0.4, keep=0.7, bridge_forward=True)
    assert chosen(transfer, "--bridge").bridge and not chosen(transfer, "--bridge").bridge_forward


@pytest.mark.parametrize("stage, wrong, said", [
    *((stage, ["--loss-width", "0"], "--loss-width 0: give a number of pixels above 0") for stage in STAGES),
    *((stage, ["--ordinary", "1.5"], "--ordinary 1.5: give a value in 0..1") for stage in (train, compress)),
    (train, ["--sharp", "-1"], "--sharp -1.0"),
    (train, ["--reach", "0.5"], "--reach 0.5"),
    (train, ["--loss-curvature", "inf"], "--loss-curvature inf"), (train, ["--likelihood", "-1"], "--likelihood -1.0"),
    (train, ["--loss", "gaussian", "--likelihood", "2"], "--loss gaussian is one part"),
    (teacher, ["--night", "1.5"], "--night 1.5: give a value in 0..1"), (teacher, ["--misregistration", "nan"],
                                                                         "--misregistration nan"),
    (transfer, ["--misregistration", "-0.1"], "--misregistration -0.1"), (transfer, ["--keep", "2"], "--keep 2.0"),
    (transfer, ["--gain", "inf"], "--gain inf"), (transfer, ["--floor", "2"], "--floor 2.0: give a value in 0..1.0"),
    (transfer, ["--decay-rate", "0"], "--decay-rate 0.0"), (compress, ["--decay-start", "inf"], "--decay-start inf"),
    (compress, ["--decay-rate", "1e9"], "--decay-rate 1000000000.0")])
def test_options_that_cannot_be_are_told_in_a_line(stage, wrong, said, tmp_path, capsys):
    assert stage.main([*STAGES[stage], "--output", str(tmp_path / "o"), "--device", "cpu", *wrong]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (tmp_path / "o").exists()


def plain(**values):
    return train.PlainSettings(spec=TINY, crops=CropConfig(size=32), epochs=1, batch=5, warmup_steps=1, **values)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_run_learns_by_its_loss_and_says_so(kind, cache, tmp_path):
    path = train.train(plain(loss=PointLoss(kind)), [cache], tmp_path, None, CPU, 0)
    assert kind in json.loads((tmp_path / "log.jsonl").read_text())
    card = read_card(path)
    assert {"wing": "loss: Wing (w 5 px", "adaptive_wing": "loss: adaptive Wing of coordinates (w 5 px",
            "gaussian": "loss: Gaussian likelihood of points and sigma"}[kind] in card.notes
    assert card.data == (HEADS_LICENCE,)
    other = PointLoss("wing" if kind != "wing" else "gaussian")
    with pytest.raises(DataError, match="belongs to a run with other loss;"):
        train.train(plain(loss=other), [cache], tmp_path, None, CPU, 0)


def test_sharp_heat_maps_are_part_of_the_loss_and_of_what_a_run_is(cache, tmp_path):
    train.train(plain(sharp=2.0), [cache], tmp_path, None, CPU, 0)
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert 0 < line["sharp"] < 0.694
    with pytest.raises(DataError, match="belongs to a run with other sharp;"):
        train.train(plain(), [cache], tmp_path, None, CPU, 0)


def batch():
    generator = torch.Generator().manual_seed(5)
    draw = lambda *shape: torch.rand(*shape, generator=generator)  # noqa: E731
    return [draw(4, 1, 32, 32), 32 * draw(4, 54, 2), draw(4, 3, 32, 32), 32 * draw(4, 54, 2)]


def networks():
    torch.manual_seed(0)
    return Landmarker(TINY).train(), Landmarker(dataclasses.replace(TINY, channels=3))


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss_of_a_transfer_is_the_chosen_one(kind):
    loss = PointLoss(kind)
    settings = transfer.TransferSettings(spec=TINY, crops=PairConfig(size=32), loss=loss, predictions=1.0,
                                         decay=DecaySchedule("constant"))
    student, visible = networks()
    images, target, seen, seen_target = data = batch()
    total, terms = transfer.Transfer(settings, visible)(student, data, 0.0)
    with torch.autocast("cpu", torch.bfloat16):
        thermal = student.encode(images)
        features = visible.encode(seen)
        guess = visible.predict(features)[0]
        prediction = student.predict(thermal)
        parts = {"forward": (dikd.forward_injection(student, features, thermal), seen_target),
                 "reverse": (dikd.reverse_injection(visible, thermal), target)}
    expected = {name: task_loss(*part, 1.0, loss)[0] for name, part in parts.items()}
    expected["predictions"] = loss.of(prediction, guess - seen_target + target)
    expected[kind] = loss.of(prediction, target)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)
    whole = task_loss(prediction, target, 1.0, loss)[0]
    torch.testing.assert_close(total, whole + sum(expected[name] for name in ("forward", "reverse", "predictions")))


@pytest.mark.parametrize("stage", [transfer, compress])
def test_what_a_teacher_says_does_not_move_sigma(stage):
    """The Gaussian loss goes through sigma, which is to tell of the error to the truth."""
    student, visible = networks()
    gradients = []
    for weight in (0.0, 1.0):
        student.zero_grad()
        if stage is transfer:
            settings = transfer.TransferSettings(spec=TINY, loss=PointLoss("gaussian"), forward=0.0, reverse=0.0,
                                                 predictions=weight, decay=DecaySchedule("constant"))
            objective, data = transfer.Transfer(settings, visible), batch()
        else:
            settings = compress.CompressSettings(spec=TINY, loss=PointLoss("gaussian"), features=0.0,
                                                 predictions=weight, decay=DecaySchedule("constant"))
            torch.manual_seed(1)
            other = Landmarker(TINY)
            objective, data = compress.Compression(settings, other, compress.Adapters(TINY, TINY)), batch()[:2]
        objective(student, data, 0.0)[0].backward()
        gradients.append((student.spread.weight.grad.clone(), student.heat[0].weight.grad.clone()))
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    assert not torch.allclose(gradients[0][1], gradients[1][1])


@pytest.mark.parametrize("values", [{"injection": "add", "gain": 0.5}, {"bridge_forward": True},
                                    {"injection": "mix", "keep": 0.2, "bridge_forward": True}])
def test_a_transfer_injects_as_its_settings_say_and_into_the_thermal_head_alone(values):
    settings = transfer.TransferSettings(spec=TINY, reverse=0.0, decay=DecaySchedule("constant"), **values)
    student, visible = networks()
    data = batch()
    _, terms = transfer.Transfer(settings, visible)(student, data, 0.0)
    terms["forward"].backward()
    head = {id(p) for module in student.head() for p in module.parameters()}
    for name, parameter in student.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert reached == (id(parameter) in head), name
    assert all(p.grad is None for p in visible.parameters())
    default = transfer.TransferSettings(spec=TINY, reverse=0.0, decay=DecaySchedule("constant"))
    assert transfer.Transfer(default, visible)(student, data, 0.0)[1]["forward"] != terms["forward"]


@pytest.mark.parametrize("widths", [["-8", "16", "24"], ["0", "0", "0"]])
def test_a_network_without_channels_is_refused(tmp_path, widths, capsys):
    assert teacher.main(["--pairs", str(tmp_path / "p.npz"), "--output", str(tmp_path), "--widths", *widths]) == 1
    assert capsys.readouterr().err == f"error: --widths {widths[0]}: give at least 1\n"
