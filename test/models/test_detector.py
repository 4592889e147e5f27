"""The detector network: budgets, decoding against brute force, batch-norm fusing."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.blocks import fuse_batch_norm  # noqa: E402
from thermal_kd_ros.models.detector import Detector, cells, decode_boxes  # noqa: E402
from thermal_kd_ros.models.specs import DetectorSpec  # noqa: E402
from training.detector.experiment import ARCHITECTURES  # noqa: E402


def flops(model, images):
    """Two operations per multiply-add, convolutions only, of one image."""
    total = 0

    def count(module, inputs, output):
        nonlocal total
        kernel = module.in_channels // module.groups * module.kernel_size[0] * module.kernel_size[1]
        total += 2 * output[0].numel() * kernel

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_networks_stay_within_their_budget(name):
    model = Detector(DetectorSpec(classes=6, **ARCHITECTURES[name])).eval()
    assert sum(p.numel() for p in model.parameters()) <= (1.2e6 if name.startswith("nano") else 3.15e6)
    assert flops(model, torch.zeros(1, 1, 512, 640)) <= 8.7e9


def test_pyramid_has_one_map_per_stride():
    spec = DetectorSpec(classes=3)
    levels = Detector(spec).eval().pyramid(torch.zeros(2, 1, 64, 96))
    assert [tuple(level.shape) for level in levels] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(spec.pyramid_channels, spec.strides, strict=True)]


def test_decoding_equals_a_loop():
    height, width, strides, bins = 64, 96, (8, 16, 32), 16
    centres, sizes = cells(height, width, strides)
    rng = np.random.default_rng(0)
    sides = rng.normal(0, 2, (2, len(centres), 4, bins)).astype(np.float32)
    boxes = decode_boxes(torch.from_numpy(sides), centres, sizes).numpy()
    n = 0
    for stride in strides:
        for row in range(height // stride):
            for column in range(width // stride):
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                for b in range(2):
                    reach = []
                    for side in range(4):
                        e = np.exp(sides[b, n, side].astype(np.float64))
                        reach.append(sum(k * e[k] for k in range(bins)) / e.sum() * stride)
                    np.testing.assert_allclose(boxes[b, n], [x - reach[0], y - reach[1], x + reach[2], y + reach[3]],
                                               atol=1e-3)
                n += 1
    assert n == len(centres)


def test_forward_is_predict_and_decode():
    torch.manual_seed(0)
    model = Detector(DetectorSpec(classes=3)).eval()
    images = torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        boxes, scores = model(images)
        logits, sides = model.predict(model.pyramid(images))
    centres, strides = cells(64, 96, model.spec.strides)
    torch.testing.assert_close(boxes, decode_boxes(sides, centres, strides))
    torch.testing.assert_close(scores, logits.sigmoid())


def test_fusing_batch_norm_changes_nothing():
    torch.manual_seed(0)
    model = Detector(DetectorSpec(classes=2))
    for _ in range(3):
        model.train()(torch.rand(4, 1, 64, 64))
    model.eval()
    images = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        before = model(images)
        after = fuse_batch_norm(model)(images)
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(("name", "kind"), [("relu", torch.nn.ReLU), ("hardswish", torch.nn.Hardswish)])
def test_the_activation_is_the_spec_s_and_changes_no_name_of_a_weight(name, kind):
    model, other = Detector(DetectorSpec(classes=2)), Detector(DetectorSpec(classes=2, activation=name))
    assert not any(isinstance(m, kind) for m in model.modules())
    assert any(isinstance(m, kind) for m in other.modules())
    assert not any(isinstance(m, torch.nn.SiLU) for m in other.modules())
    assert model.state_dict().keys() == other.state_dict().keys()
    images = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        other.eval().load_state_dict(model.eval().state_dict())
        torch.testing.assert_close(fuse_batch_norm(other)(images), other(images))
        assert not torch.equal(model(images)[1], other(images)[1])
    # Cards from before there was a choice have none.
    old = DetectorSpec(classes=2).to_dict()
    del old["activation"]
    assert DetectorSpec.from_dict(old) == DetectorSpec(classes=2)
    with pytest.raises(KeyError):
        Detector(DetectorSpec(classes=2, activation="tanh"))


def test_spec_survives_json():
    spec = DetectorSpec(classes=4, **ARCHITECTURES["small"])
    assert DetectorSpec.from_dict(spec.to_dict()) == spec
