"""Dual-injected distillation: which weights each loss reaches, what it leaves alone, and the equations."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.landmarker import Landmarker  # noqa: E402
from thermal_kd_ros.models.specs import LandmarkerSpec  # noqa: E402
from training.losses.dikd import (  # noqa: E402
    INJECTIONS,
    bridged,
    feature_distillation,
    forward_injection,
    freeze,
    reverse_injection,
)
from training.losses.landmarks import wing_loss  # noqa: E402
from training.losses.pyramid_alignment import standardise  # noqa: E402

SPEC = LandmarkerSpec(points=5, size=32, widths=(8, 8, 8), depths=(1, 1, 1))


def network(seed, channels=1):
    torch.manual_seed(seed)
    spec = LandmarkerSpec(**{**SPEC.__dict__, "channels": channels})
    return Landmarker(spec)


@pytest.fixture
def pair():
    """A frozen teacher and a student in training mode, with images and targets for both."""
    teacher, student = network(0, 3), network(1).train()
    with torch.no_grad():
        teacher(torch.rand(8, 3, 32, 32))  # running statistics other than 0 and 1
    freeze(teacher)
    generator = torch.Generator().manual_seed(2)
    draw = lambda *shape: torch.rand(*shape, generator=generator)  # noqa: E731
    return teacher, student, draw(4, 3, 32, 32), draw(4, 1, 32, 32), 32 * draw(4, 5, 2)


def loss_of(prediction, target):
    points, sigma = prediction
    return wing_loss(points, target).mean() + sigma.log().mean()


def touched(modules):
    return {name for i, module in enumerate(modules) for name, p in module.named_parameters(f"{i}")
            if p.grad is not None and p.grad.abs().sum() > 0}


def everything(modules):
    return {name for i, module in enumerate(modules) for name, _ in module.named_parameters(f"{i}")}


@pytest.mark.parametrize("bridge", [False, True])
@pytest.mark.parametrize("form", INJECTIONS)
def test_forward_injection_reaches_the_thermal_head_alone(pair, form, bridge):
    teacher, student, seen, warm, target = pair
    visible = [level.requires_grad_() for level in teacher.encode(seen)]
    loss_of(forward_injection(student, visible, student.encode(warm), form, bridge=bridge), target).backward()
    assert all(level.grad is None for level in visible)
    assert touched(student.head()) == everything(student.head())
    assert all(p.grad is None for module in student.encoder() for p in module.parameters())
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("bridge", [False, True])
def test_reverse_injection_reaches_the_thermal_encoder_alone(pair, bridge):
    teacher, student, seen, warm, target = pair
    visible = teacher.encode(seen) if bridge else None
    loss_of(reverse_injection(teacher, student.encode(warm), visible), target).backward()
    # Scales of channels are what the bridge undoes: the last norms of the levels are then out of its reach.
    missing = everything(student.encoder()) - touched(student.encoder())
    assert not missing or (bridge and all(".merge.1." in name or name.endswith(("bias", "weight")) for name in missing))
    assert len(missing) < 0.2 * len(everything(student.encoder()))
    assert all(p.grad is None for module in student.head() for p in module.parameters())
    assert all(p.grad is None for p in teacher.parameters())


def test_training_with_both_leaves_the_teacher_bit_identical(pair):
    teacher, student, seen, warm, target = pair
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    optimiser = torch.optim.AdamW(student.parameters(), lr=0.01)
    for _ in range(3):
        with torch.no_grad():
            visible = teacher.encode(seen)
        thermal = student.encode(warm)
        loss = loss_of(student.predict(thermal), target)
        loss = loss + loss_of(forward_injection(student, visible, thermal), target)
        loss = loss + loss_of(reverse_injection(teacher, thermal), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert not teacher.training
    for key, value in teacher.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_forward_injection_leaves_the_running_statistics_alone_and_normalises_by_the_batch(pair):
    teacher, student, seen, warm, _ = pair
    before = copy.deepcopy(student.state_dict())
    visible = teacher.encode(seen)
    found = forward_injection(student, visible, visible)
    for key, value in student.state_dict().items():
        assert torch.equal(value, before[key]), key
    expected = student.predict(visible)  # remembers the batch, but gives the same points
    torch.testing.assert_close(found[0], expected[0])
    assert any(not torch.equal(value, before[key]) for key, value in student.state_dict().items())


def test_equal_networks_inputs_and_targets_give_three_equal_losses():
    student = network(3)
    with torch.no_grad():
        student(torch.rand(8, 1, 32, 32))
    student.eval()
    teacher = copy.deepcopy(student)
    freeze(teacher)
    crops, target = torch.rand(4, 1, 32, 32), 32 * torch.rand(4, 5, 2)
    thermal, visible = student.encode(crops), teacher.encode(crops)
    task = loss_of(student.predict(thermal), target)
    for form, gain in (("swap", 1.0), ("mix", 1.0), ("add", 0.0)):
        found = forward_injection(student, visible, thermal, form, gain=gain)
        torch.testing.assert_close(loss_of(found, target), task)
        bridged_over = forward_injection(student, visible, thermal, form, gain=gain, bridge=True)
        torch.testing.assert_close(loss_of(bridged_over, target), task, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(loss_of(reverse_injection(teacher, thermal), target), task)
    torch.testing.assert_close(loss_of(reverse_injection(teacher, thermal, visible), target), task,
                               atol=1e-4, rtol=1e-4)


def test_a_teacher_that_is_not_frozen_and_an_unknown_form_are_refused(pair):
    teacher, student, seen, warm, _ = pair
    teacher.requires_grad_(True)
    with pytest.raises(ValueError, match="freeze"):
        reverse_injection(teacher, student.encode(warm))
    with pytest.raises(ValueError, match="swap"):
        forward_injection(student, teacher.encode(seen), student.encode(warm), "both")


def test_mixing_is_the_weighted_sum(pair):
    teacher, student, seen, warm, _ = pair
    student.eval()
    visible, thermal = teacher.encode(seen), student.encode(warm)
    expected = student.predict([0.3 * own + 0.7 * other for own, other in zip(thermal, visible, strict=True)])
    found = forward_injection(student, visible, thermal, "mix", 0.3)
    torch.testing.assert_close(found[0], expected[0])
    only_thermal = forward_injection(student, visible, thermal, "mix", 1.0)
    torch.testing.assert_close(only_thermal[0], student.predict(thermal)[0])


def features(seed, mean, deviation):
    """Levels as the networks give them, but of a given scale."""
    generator = torch.Generator().manual_seed(seed)
    return [mean + deviation * torch.randn(4, 8, side, side, generator=generator) for side in (4, 2)]


def test_adding_is_the_sum_with_a_gain(pair):
    student = pair[1].eval()
    visible, thermal = features(0, 0.5, 2.0), features(1, -1.0, 1.0)
    expected = student.predict([own + 0.3 * other for own, other in zip(thermal, visible, strict=True)])
    found = forward_injection(student, visible, thermal, "add", gain=0.3)
    torch.testing.assert_close(found[0], expected[0])
    assert not torch.allclose(found[0], forward_injection(student, visible, thermal, "add", gain=0.4)[0])


def test_the_forward_bridge_gives_visible_features_the_thermal_ones_scale(pair):
    """The features that reach the thermal head, channel by channel."""
    student = pair[1].eval()
    visible, thermal = features(0, 0.5, 3.0), features(1, -1.0, 0.4)
    entered = []
    student.predict, predict = lambda features: entered.append(features) or predict(features), student.predict
    forward_injection(student, visible, thermal, "swap", bridge=True)
    forward_injection(student, visible, thermal, "mix", 0.3, bridge=True)
    forward_injection(student, visible, thermal, "add", gain=0.5, bridge=True)
    for k, (own, other) in enumerate(zip(thermal, visible, strict=True)):
        own, other = own.double().numpy(), other.double().numpy()
        scaled = (other - other.mean((0, 2, 3), keepdims=True)) / other.std((0, 2, 3), keepdims=True)
        scaled = scaled * own.std((0, 2, 3), keepdims=True) + own.mean((0, 2, 3), keepdims=True)
        for found, expected in zip(entered, (scaled, 0.3 * own + 0.7 * scaled, own + 0.5 * scaled), strict=True):
            np.testing.assert_allclose(found[k].numpy(), expected, atol=1e-5)


def test_the_bridge_gives_each_channel_the_references_mean_and_spread():
    rng = np.random.default_rng(0)
    own, other = rng.normal(3, 2, (4, 3, 5, 6)), rng.normal(-1, 0.5, (4, 3, 5, 6))
    found = bridged(torch.from_numpy(own), torch.from_numpy(other)).numpy()
    for c in range(3):
        assert found[:, c].mean() == pytest.approx(other[:, c].mean(), abs=1e-6)
        assert found[:, c].std() == pytest.approx(other[:, c].std(), rel=1e-5)
        expected = (own[:, c] - own[:, c].mean()) / own[:, c].std() * other[:, c].std() + other[:, c].mean()
        np.testing.assert_allclose(found[:, c], expected, atol=1e-5)


def test_the_bridge_of_bfloat16_features_is_as_exact_as_that_of_their_values():
    generator = torch.Generator().manual_seed(0)
    own = (0.5 * torch.randn(64, 4, 14, 14, generator=generator) + 10).bfloat16()
    other = (2 * torch.randn(64, 4, 14, 14, generator=generator) + 15).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = bridged(own, other)
    torch.testing.assert_close(found, bridged(own.float(), other.float()))


def test_feature_distillation_is_one_minus_the_correlation_of_each_channel():
    rng = np.random.default_rng(1)
    levels = [(rng.normal(0, 1, (2, 3, 4, 4)), rng.normal(0, 1, (2, 3, 4, 4))),
              (rng.normal(2, 3, (2, 5, 2, 2)), rng.normal(0, 1, (2, 5, 2, 2)))]
    expected = np.mean([np.mean([1 - np.corrcoef(a[:, c].ravel(), b[:, c].ravel())[0, 1] for c in range(a.shape[1])])
                        for a, b in levels])
    student, teacher = ([torch.from_numpy(pair[k]) for pair in levels] for k in (0, 1))
    assert feature_distillation(student, teacher).item() == pytest.approx(expected, abs=1e-5)
    scaled = [level * torch.rand(level.shape[1], dtype=level.dtype)[:, None, None] * 9 + 4 for level in teacher]
    assert feature_distillation(student, scaled).item() == pytest.approx(expected, abs=1e-4)


def test_feature_distillation_moves_the_student_only_and_refuses_other_widths():
    own, other = (torch.rand(2, 3, 4, 4, requires_grad=True) for _ in range(2))
    feature_distillation([own], [other]).backward()
    assert own.grad is not None and other.grad is None
    with pytest.raises(ValueError, match="adapter"):
        feature_distillation([own], [torch.rand(2, 4, 4, 4)])


def test_constant_channels_stay_finite():
    flat = torch.ones(2, 3, 4, 4, requires_grad=True)
    loss = feature_distillation([flat], [torch.rand(2, 3, 4, 4)]) + standardise(flat).sum()
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(flat.grad).all()
