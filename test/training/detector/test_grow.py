"""A larger detector that begins as a smaller one."""

import dataclasses

import pytest
import torch

from thermal_kd_ros.models.detector import Detector
from thermal_kd_ros.models.specs import DetectorSpec
from training.detector.grow import can_grow, grow

SMALL = DetectorSpec(classes=3, widths=(8, 12, 16, 20), depths=(1, 1, 1, 1), strides=(8, 16, 32),
                     pyramid_channels=(8, 12, 16), bins=4, activation="relu")
WIDER = dataclasses.replace(SMALL, widths=(10, 16, 16, 28), depths=(1, 2, 1, 2), pyramid_channels=(10, 12, 24))
FINER = dataclasses.replace(WIDER, strides=(4, 8, 16, 32), pyramid_channels=(6, 10, 12, 24))


def trained(spec: DetectorSpec) -> Detector:
    """A network whose every parameter and statistic differs from what it is made with."""
    torch.manual_seed(0)
    network = Detector(spec).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            module.momentum = 0.5
    with torch.no_grad():
        for _ in range(8):
            network(torch.rand(2, 1, 64, 96))
    return network.eval()


@pytest.mark.parametrize("spec", [SMALL, WIDER, FINER], ids=["same", "wider", "finer"])
def test_the_grown_network_answers_like_the_one_in_it(spec: DetectorSpec) -> None:
    old = trained(SMALL)
    torch.manual_seed(1)
    new = Detector(spec).eval()
    image = torch.rand(2, 1, 64, 96)
    before = new(image)[1]
    grow(new, old)
    boxes, scores = new(image)
    shared = len(old(image)[1][0])
    torch.testing.assert_close(scores[:, -shared:], old(image)[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(boxes[:, -shared:], old(image)[0], rtol=1e-3, atol=1e-2)
    assert not torch.allclose(before[:, -shared:], old(image)[1], rtol=1e-4, atol=1e-5)


def test_a_new_level_leaves_training_near_the_old_answers() -> None:
    """Batch norm then works with each batch's own statistics, so the answers agree roughly only."""
    old, new = trained(SMALL).train(), Detector(FINER).train()
    grow(new, old)
    image = torch.rand(8, 1, 128, 128)
    with torch.no_grad():
        mine, theirs = new.neck(new.backbone(image))[1][:, :8], old.neck(old.backbone(image)[1:])[0]
    assert torch.corrcoef(torch.stack([mine.flatten(), theirs.flatten()]))[0, 1] > 0.98


def test_new_channels_learn() -> None:
    old, new = trained(SMALL), Detector(WIDER).train()
    grow(new, old)
    optimiser = torch.optim.SGD(new.parameters(), 0.1)
    for _ in range(2):
        optimiser.zero_grad()
        logits, _ = new.predict(new.pyramid(torch.rand(4, 1, 64, 64)))
        logits.square().mean().backward()
        optimiser.step()
    stem = new.backbone.stem[1][0].weight.grad
    assert stem[8:].abs().max() > 0, "the new channels of the first layer get no gradient"
    assert new.heads[0].classify[1].weight[:, 8:].abs().max() > 0


def test_what_does_not_fit() -> None:
    assert can_grow(SMALL, FINER)
    assert not can_grow(FINER, SMALL)
    assert not can_grow(SMALL, dataclasses.replace(WIDER, classes=4))
    assert not can_grow(dataclasses.replace(SMALL, activation="silu"), dataclasses.replace(WIDER, activation="silu"))
    assert not can_grow(SMALL, dataclasses.replace(WIDER, pyramid_channels=(10, 12, 14)))
