"""Detector losses and assignment against slow, independent computations."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.detector import Detector, cells, decode_boxes  # noqa: E402
from thermal_kd_ros.models.specs import DetectorSpec  # noqa: E402
from training.losses.detection import (  # noqa: E402
    DetectionLossConfig,
    Targets,
    assign,
    box_iou,
    detection_loss,
    giou,
    wasserstein,
)

CONFIG = DetectionLossConfig()
SIZE, STRIDES, BINS = (64, 96), (8, 16, 32), 16


def slow_iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0) * max(height, 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def random_boxes(rng, count):
    corner = rng.uniform(0, (60, 35), (count, 2))
    return np.concatenate([corner, corner + rng.uniform(6, 30, (count, 2))], 1)


def test_overlaps_equal_loops():
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 9), random_boxes(rng, 9)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    np.testing.assert_allclose(box_iou(ta, tb), [[slow_iou(x, y) for y in b] for x in a], atol=1e-9)
    for x, y, value in zip(a, b, giou(ta, tb), strict=True):
        hull = (max(x[2], y[2]) - min(x[0], y[0])) * (max(x[3], y[3]) - min(x[1], y[1]))
        areas = (x[2] - x[0]) * (x[3] - x[1]) + (y[2] - y[0]) * (y[3] - y[1])
        overlap = slow_iou(x, y)
        union = areas / (1 + overlap)
        assert math.isclose(float(value), overlap - (hull - union) / hull, abs_tol=1e-9)


def slow_assign(scores, boxes, centres, strides, truths, labels, config, reach=math.inf):
    """The same rule, one cell and one truth at a time."""
    n, m = len(centres), len(truths)
    overlap = np.array([[slow_iou(boxes[i], truths[j]) for j in range(m)] for i in range(n)])
    chosen = np.zeros((n, m), bool)
    metric = np.zeros((n, m))
    for j in range(m):
        middle = (truths[j, :2] + truths[j, 2:]) / 2
        ranking = []
        for i in range(n):
            half = np.maximum((truths[j, 2:] - truths[j, :2]) / 2, strides[i])
            sides = [*(centres[i] - truths[j, :2]), *(truths[j, 2:] - centres[i])]
            reached = all(side <= reach * strides[i].item() for side in sides) or strides[i] == strides.max()
            if (np.abs(centres[i] - middle) < half).all() and reached:
                metric[i, j] = scores[i, labels[j]] ** config.alpha * overlap[i, j] ** config.beta
                ranking.append((metric[i, j] - 1e-6 * min(100, np.linalg.norm((centres[i] - middle) / strides[i])), i))
        for _, i in sorted(ranking, reverse=True)[: config.topk]:
            chosen[i, j] = True
    owner, quality = np.full(n, -1), np.zeros(n)
    for i in range(n):
        wanted = [j for j in range(m) if chosen[i, j]]
        if wanted:
            owner[i] = max(wanted, key=lambda j: overlap[i, j])
    for j in range(m):
        mine = np.nonzero(owner == j)[0]
        if len(mine):
            best, most = metric[mine, j].max(), overlap[mine, j].max()
            quality[mine] = np.minimum(1, metric[mine, j] / max(best, 1e-9) * most)
    return owner, quality


@pytest.mark.parametrize("reach", [math.inf, 3.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_assignment_equals_a_loop(seed, reach):
    rng = np.random.default_rng(seed)
    centres, strides = cells(*SIZE, STRIDES)
    centres, strides = centres.double(), strides.double()
    scores = rng.random((len(centres), 3))
    sides = rng.uniform(2, 20, (len(centres), 4))
    boxes = np.concatenate([centres.numpy() - sides[:, :2], centres.numpy() + sides[:, 2:]], 1)
    truths, labels = random_boxes(rng, 5), rng.integers(0, 3, 5)
    owner, quality = assign(torch.from_numpy(scores), torch.from_numpy(boxes), centres, strides,
                            torch.from_numpy(truths), torch.from_numpy(labels), CONFIG, reach)
    slow_owner, slow_quality = slow_assign(scores, boxes, centres.numpy(), strides.numpy(), truths, labels, CONFIG,
                                           reach)
    np.testing.assert_array_equal(owner, slow_owner)
    np.testing.assert_allclose(quality, slow_quality, atol=1e-5)
    assert set(owner[owner >= 0].tolist()) <= set(range(5))


def test_a_truth_smaller_than_a_cell_still_gets_cells():
    centres, strides = cells(*SIZE, STRIDES)
    boxes = torch.cat([centres - 3, centres + 3], 1)
    owner, _ = assign(torch.full((len(centres), 1), 0.01), boxes, centres, strides,
                      torch.tensor([[41.0, 33.0, 43.0, 36.0]]), torch.tensor([0]), CONFIG)
    assert (owner == 0).sum() >= 1


@pytest.mark.parametrize(("box", "stride"), [([20, 20, 620, 500], 32), ([200, 150, 440, 370], 16)])
def test_an_object_goes_to_a_level_that_can_say_where_its_sides_are(box, stride):
    # However sure the finer level is: 16 bins reach 15 strides to either side.
    centres, strides = cells(512, 640, (8, 16, 32))
    sides = torch.zeros(1, len(centres), 4, 16)
    logits = torch.where(strides == 32, -8.0, 0.0)[None]
    targets = Targets(torch.tensor([[box]], dtype=torch.float32), torch.tensor([[0]]), torch.tensor([[True]]))
    sides.requires_grad_()
    exact = torch.cat([centres - torch.tensor(box[:2]), torch.tensor(box[2:]) - centres], 1) / strides
    with torch.no_grad():  # each cell says what comes nearest
        sides.scatter_(3, exact.clamp(0, 15).round().long()[None, ..., None], 20.0)
    detection_loss(logits, sides, centres, strides, targets, CONFIG)["dfl"].backward()
    moved = sides.grad[0].abs().sum((1, 2)) > 0
    assert set(strides[moved, 0].tolist()) == {stride}


def test_background_is_not_taught_where_a_tiny_region_is_ignored():
    centres, strides = cells(*SIZE, STRIDES)
    logits = torch.zeros(1, len(centres), 1, requires_grad=True)
    region = [41.0, 33.0, 43.0, 35.0]
    assert not ((centres >= torch.tensor(region[:2])) & (centres <= torch.tensor(region[2:]))).all(1).any()
    targets = batch([[region]], [[-1]], [[True]])
    run(logits, torch.zeros(1, len(centres), 4, 16), targets)["total"].backward()
    spared = logits.grad[0, :, 0] == 0
    # The cell of each level in which the region lies, and no other.
    holds = ((centres - torch.tensor([42.0, 34.0])).abs() <= strides / 2).all(1)
    torch.testing.assert_close(spared, holds)
    assert [int(holds[strides[:, 0] == stride].sum()) for stride in STRIDES] == [1] * len(STRIDES)


def batch(boxes, labels, labelled):
    return Targets(torch.tensor(boxes, dtype=torch.float32), torch.tensor(labels), torch.tensor(labelled))


def run(logits, sides, targets, config=CONFIG):
    centres, strides = cells(*SIZE, STRIDES)
    return detection_loss(logits, sides, centres, strides, targets, config)


def random_outputs(seed, batch_size=1, classes=2):
    generator = torch.Generator().manual_seed(seed)
    n = len(cells(*SIZE, STRIDES)[0])
    return (torch.randn(batch_size, n, classes, generator=generator).requires_grad_(),
            torch.randn(batch_size, n, 4, BINS, generator=generator).requires_grad_())


def slow_closeness(a, b, scale):
    """Through the Gaussians themselves: means, covariances, and the trace of matrix roots."""
    mean, root = [], []
    for box in (a, b):
        mean.append(np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]))
        covariance = np.diag([(box[2] - box[0]) ** 2 / 4, (box[3] - box[1]) ** 2 / 4])
        values, vectors = np.linalg.eigh(covariance)
        root.append(vectors @ np.diag(np.sqrt(values)) @ vectors.T)
    squared = np.sum((mean[0] - mean[1]) ** 2) + np.linalg.norm(root[0] - root[1], "fro") ** 2
    return math.exp(-math.sqrt(squared) / scale)


def test_wasserstein_closeness_is_that_of_gaussians():
    rng = np.random.default_rng(3)
    a, b = random_boxes(rng, 9), random_boxes(rng, 9)
    close = wasserstein(torch.from_numpy(a), torch.from_numpy(b), 12.8)
    np.testing.assert_allclose(close, [slow_closeness(x, y, 12.8) for x, y in zip(a, b, strict=True)], atol=1e-9)
    same = torch.from_numpy(a).requires_grad_()
    value = wasserstein(same, torch.from_numpy(a), 12.8)
    np.testing.assert_allclose(value.detach(), 1.0, atol=1e-6)
    value.sum().backward()
    assert torch.isfinite(same.grad).all()
    far = wasserstein(torch.tensor([[0.0, 0, 8, 8]]), torch.tensor([[40.0, 0, 48, 8]]), 12.8)
    assert 0 < float(far) < 0.1


@pytest.mark.parametrize("config", [CONFIG, DetectionLossConfig(focal="varifocal"),
                                    DetectionLossConfig(wasserstein=0.4, wasserstein_scale=20.0)])
def test_loss_equals_a_loop(config):
    logits, sides = random_outputs(0)
    targets = batch([[[10, 10, 40, 44], [50, 20, 70, 60]]], [[0, 1]], [[True, True]])
    losses = run(logits, sides, targets, config)
    centres, strides = cells(*SIZE, STRIDES)
    boxes = decode_boxes(sides.detach(), centres, strides)[0].double().numpy()
    p = logits.detach().double().sigmoid()[0].numpy()
    truths = targets.boxes[0].double().numpy()
    owner, quality = slow_assign(p, boxes, centres.double().numpy(), strides.double().numpy(), truths, [0, 1], CONFIG)
    normaliser = max(1.0, quality.sum())
    classify = iou = dfl = 0.0
    for i in range(len(centres)):
        for c in range(2):
            y = quality[i] if owner[i] == c else 0.0
            weight = abs(y - p[i, c]) ** 2
            if config.focal == "varifocal":
                weight = y if y > 0 else 0.75 * p[i, c] ** 2
            classify += -(y * math.log(p[i, c]) + (1 - y) * math.log(1 - p[i, c])) * weight
        if owner[i] >= 0:
            t = truths[owner[i]]
            apart = 1 - float(giou(torch.from_numpy(boxes[i]), torch.from_numpy(t)))
            apart += config.wasserstein * (1 - slow_closeness(boxes[i], t, config.wasserstein_scale) - apart)
            iou += apart * quality[i]
            x, y = centres[i].tolist()
            total = 0.0
            for k, d in enumerate((x - t[0], y - t[1], t[2] - x, t[3] - y)):
                d = min(max(d / float(strides[i]), 0.0), BINS - 1 - 1e-3)
                log = sides.detach()[0, i, k].double().log_softmax(0)
                left = int(d)
                total -= float(log[left]) * (1 - (d - left)) + float(log[left + 1]) * (d - left)
            dfl += total / 4 * quality[i]
    np.testing.assert_allclose([losses[k].item() for k in ("classify", "iou", "dfl")],
                               np.array([classify, iou, dfl]) / normaliser, rtol=2e-4)
    for stride in STRIDES:
        part = quality[strides[:, 0].numpy() == stride].sum() / normaliser
        assert losses[f"stride{stride}"].item() == pytest.approx(part, abs=1e-5)
        assert not losses[f"stride{stride}"].requires_grad


@pytest.mark.parametrize("focal", ["quality", "varifocal"])
@pytest.mark.parametrize("through", [True, False])
def test_gradients_flow_through_the_focal_weight_where_that_is_asked_for(focal, through):
    logits, sides = random_outputs(0)
    targets = batch([[[10, 10, 40, 44], [50, 20, 70, 60]]], [[0, 1]], [[True, True]])
    run(logits, sides, targets, DetectionLossConfig(focal=focal, focal_gradient=through))["classify"].backward()
    centres, strides = cells(*SIZE, STRIDES)
    x = logits.detach().double()[0].numpy()
    p = 1 / (1 + np.exp(-x))
    owner, quality = slow_assign(p, decode_boxes(sides.detach(), centres, strides)[0].double().numpy(),
                                 centres.double().numpy(), strides.double().numpy(), targets.boxes[0].double().numpy(),
                                 [0, 1], CONFIG)
    y = np.where(np.asarray(owner)[:, None] == np.arange(2), np.asarray(quality)[:, None], 0.0)

    def loss(x, held):
        p = 1 / (1 + np.exp(-x))
        w = p if through else held
        weight = abs(y - w) ** 2 if focal == "quality" else np.where(y > 0, y, 0.75 * w ** 2)
        return -(y * np.log(p) + (1 - y) * np.log(1 - p)) * weight / max(1.0, quality.sum())

    slope = (loss(x + 1e-5, p) - loss(x - 1e-5, p)) / 2e-5
    np.testing.assert_allclose(logits.grad[0], slope, rtol=2e-3, atol=1e-6)


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="loss.focal is one of quality, varifocal"):
        DetectionLossConfig(focal="focal")
    with pytest.raises(ValueError, match="between 0 and 1"):
        DetectionLossConfig(wasserstein=1.5)


@pytest.mark.parametrize(("values", "said"), [
    ({"dfl": -1.0}, "loss.dfl -1"), ({"gamma": float("nan")}, "loss.gamma nan"),
    ({"iou": float("inf")}, "loss.iou inf"), ({"topk": 0}, "loss.topk 0"),
    ({"wasserstein_scale": 0.0}, "loss.wasserstein_scale 0")])
def test_weights_that_are_no_weights_are_refused(values, said):
    with pytest.raises(ValueError, match=said):
        DetectionLossConfig(**values)


def test_shares_of_a_batch_have_the_mean_of_their_losses_in_common_with_the_whole():
    logits, sides = random_outputs(5, batch_size=2)
    with torch.no_grad():
        sides[..., 2] += 6.0  # boxes of four cells, which overlap the truths enough to count
    rng = np.random.default_rng(0)
    boxes = [random_boxes(rng, 9).tolist() for _ in range(2)]
    labels, labelled = [[0, 1] * 4 + [1], [1] * 5 + [-2] * 4], [[True, True], [True, True]]
    whole = run(logits, sides, batch(boxes, labels, labelled))
    centres, strides = cells(*SIZE, STRIDES)
    sums = []

    def share(i, average):
        return detection_loss(logits[i : i + 1], sides[i : i + 1], centres, strides,
                              batch(boxes[i : i + 1], labels[i : i + 1], labelled[i : i + 1]), CONFIG, average)

    for i in range(2):
        share(i, lambda value: sums.append(value) or value)
    parts = [share(i, lambda _: sum(sums) / 2) for i in range(2)]
    assert min(sums) > 1.0 and abs(float(sums[0] - sums[1])) > 0.1
    for name, value in whole.items():
        torch.testing.assert_close(value, (parts[0][name] + parts[1][name]) / 2)


def test_unlabelled_classes_give_no_gradient():
    logits, sides = random_outputs(1)
    run(logits, sides, batch([[[10, 10, 40, 44]]], [[0]], [[True, False]]))["total"].backward()
    assert logits.grad[..., 1].abs().max() == 0
    assert logits.grad[..., 0].abs().max() > 0


def test_ignore_regions_give_no_background_gradient():
    logits, sides = random_outputs(2)
    run(logits, sides, batch([[[0, 0, 48, 64]]], [[-1]], [[True, True]]))["total"].backward()
    centres, _ = cells(*SIZE, STRIDES)
    inside = centres[:, 0] <= 48
    assert logits.grad[0, inside].abs().max() == 0
    assert logits.grad[0, ~inside].abs().min() > 0


@pytest.mark.parametrize("boxes, labels", [([[[0.0, 0, 0, 0]]], [[-2]]), ([[[10.0, 10, 40, 40]]], [[1]])])
def test_empty_and_single_batches_are_finite(boxes, labels):
    logits, sides = random_outputs(3)
    losses = run(logits, sides, batch(boxes, labels, [[True, True]]))
    losses["total"].backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert torch.isfinite(logits.grad).all() and torch.isfinite(sides.grad).all()


def test_a_few_steps_learn_one_image():
    torch.manual_seed(0)
    spec = DetectorSpec(classes=2, strides=STRIDES, pyramid_channels=(48, 64, 96))
    model = Detector(spec)
    images = torch.full((2, 1, *SIZE), 0.2)
    images[:, :, 20:44, 16:40] = 0.9
    targets = batch([[[16, 20, 40, 44]]] * 2, [[1]] * 2, [[True, True]] * 2)
    centres, strides = cells(*SIZE, STRIDES)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(60):
        logits, sides = model.predict(model.pyramid(images))
        loss = detection_loss(logits, sides, centres, strides, targets, CONFIG)["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        logits, sides = model.predict(model.pyramid(images))
        best = logits[0, :, 1].argmax()
        box = decode_boxes(sides, centres, strides)[0, best]
    assert slow_iou(box.tolist(), [16, 20, 40, 44]) > 0.7
    assert logits[0, best, 1] > logits[0, best, 0]
