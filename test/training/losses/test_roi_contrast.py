"""Supervised contrast of objects: against a double loop, its invariances, its sampling, and batches with nothing in."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.losses.roi_contrast import (  # noqa: E402
    BACKGROUND,
    EmbeddingQueue,
    background,
    capped,
    jittered,
    supervised_contrast,
)


def unit(seed, rows, width=6):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(rows, width, generator=generator, dtype=torch.float64), dim=1)


def slow(z, labels, temperature, others=(), other_labels=()):
    keys, key_labels = list(z) + list(others), list(labels) + list(other_labels)
    losses = []
    for i in range(len(z)):
        if labels[i] == BACKGROUND:
            continue
        positives = [j for j in range(len(keys)) if j != i and key_labels[j] == labels[i]]
        if positives:
            below = sum(math.exp(float(np.dot(z[i], keys[a])) / temperature) for a in range(len(keys)) if a != i)
            losses.append(-sum(math.log(math.exp(float(np.dot(z[i], keys[p])) / temperature) / below)
                               for p in positives) / len(positives))
    return float(np.mean(losses))


@pytest.mark.parametrize("labels", [[0, 0, 1, 2, 1, 0, 2], [0, 1, 0, BACKGROUND, BACKGROUND, 3, 0],
                                    [5, 1, 1, 1, 1, 1, 1]])
@pytest.mark.parametrize("temperature", [0.07, 0.2])
def test_equals_a_double_loop(labels, temperature):
    z, labels = unit(0, 7), torch.tensor(labels)
    value = supervised_contrast(z, labels, temperature)
    assert value.item() == pytest.approx(slow(z.numpy(), labels.tolist(), temperature), rel=1e-10)
    others, other_labels = unit(1, 4), torch.tensor([0, 1, 2, 5])
    value = supervised_contrast(z, labels, temperature, others, other_labels)
    expected = slow(z.numpy(), labels.tolist(), temperature, others.numpy(), other_labels.tolist())
    assert value.item() == pytest.approx(expected, rel=1e-10)


def test_order_and_class_numbers_do_not_matter():
    z, labels = unit(2, 9), torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 4])
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    value = supervised_contrast(z, labels)
    torch.testing.assert_close(supervised_contrast(z[order], labels[order]), value)
    torch.testing.assert_close(supervised_contrast(z, (labels + 2) % 5), value)


def test_gradients_are_right_and_do_not_reach_the_remembered():
    z, labels = unit(3, 6).requires_grad_(), torch.tensor([0, 1, 0, 1, 2, 2])
    others = unit(4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: supervised_contrast(a, labels, 0.2, others.detach(), labels[:3]), (z,))
    supervised_contrast(z, labels, 0.2, others, labels[:3]).backward()
    assert z.grad.abs().max() > 0 and others.grad is None


def test_falls_when_a_class_gathers():
    z, labels = unit(5, 8), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    centres = torch.stack([z[:4].mean(0), z[4:].mean(0)]).repeat_interleave(4, 0)
    values = [supervised_contrast(torch.nn.functional.normalize((1 - s) * z + s * centres, dim=1), labels).item()
              for s in (0.0, 0.3, 0.6, 0.9)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("labels", [[], [0], [0, 0, 0], [0, 1], [BACKGROUND] * 3, [0, BACKGROUND]])
def test_batches_without_a_contrast_are_zero_and_connected(labels):
    z = unit(6, len(labels)).requires_grad_()
    value = supervised_contrast(z, torch.tensor(labels, dtype=torch.long))
    value.backward()
    assert value.item() == 0 and z.grad is not None and (z.grad == 0).all()


def test_identical_embeddings_are_finite():
    z = torch.ones(4, 3, dtype=torch.float32).div(3 ** 0.5).requires_grad_()
    value = supervised_contrast(z, torch.tensor([0, 0, 1, 1]), 0.01)
    value.backward()
    assert value.item() == pytest.approx(math.log(3), rel=1e-5) and torch.isfinite(z.grad).all()


def test_caps_hold_for_every_class_and_rare_classes_stay_whole():
    labels = torch.tensor([0] * 50 + [1] * 3 + [2] * 7)[torch.randperm(60, generator=torch.Generator().manual_seed(1))]
    kept = capped(labels, 5, torch.Generator().manual_seed(0))
    assert [(labels[kept] == c).sum().item() for c in range(3)] == [5, 3, 5]
    assert (kept[1:] > kept[:-1]).all()
    hits = torch.zeros(60)
    for seed in range(200):
        hits[capped(labels, 5, torch.Generator().manual_seed(seed))] += 1
    # Each of the 50 is drawn with probability 0.1: 200 draws give 20, give or take five deviations of 4.2.
    assert hits[labels == 0].min() > 0 and hits[labels == 0].max() < 42 and (hits[labels == 1] == 200).all()
    assert len(capped(labels[:0], 5, torch.Generator())) == 0


def iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0) * max(height, 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


@pytest.mark.parametrize("least", [0.5, 0.7, 0.9])
def test_jittered_copies_overlap_enough_and_differ(least):
    boxes = torch.tensor([[10.0, 10, 14, 40], [50, 20, 90, 60], [0, 0, 3, 3]])
    copies = jittered(boxes, 40, torch.Generator().manual_seed(0), least)
    overlaps = [iou(boxes[i // 40].tolist(), copy.tolist()) for i, copy in enumerate(copies)]
    assert len(copies) == 120 and min(overlaps) >= least - 1e-5
    assert max(overlaps) > min(overlaps) + 0.02 and np.mean(np.array(overlaps) == 1.0) < 0.1


def test_background_boxes_avoid_objects_and_stay_inside():
    boxes = torch.tensor([[10.0, 10, 40, 40], [60, 5, 90, 60], [20, 50, 24, 60], [0, 0, 300, 8]])
    found = background(boxes, 20, (64, 96), torch.Generator().manual_seed(0))
    assert 0 < len(found) <= 20
    for box in found.tolist():
        assert 0 <= box[0] and 0 <= box[1] and box[2] <= 96 + 1e-4 and box[3] <= 64 + 1e-4
        area = (box[2] - box[0]) * (box[3] - box[1])
        for other in boxes.tolist():
            inter = (max(0, min(box[2], other[2]) - max(box[0], other[0]))
                     * max(0, min(box[3], other[3]) - max(box[1], other[1])))
            assert iou(box, other) < 0.3 and inter / area < 0.3 + 1e-5
    assert len(background(boxes[:0], 5, (64, 96), torch.Generator())) == 0
    whole = torch.tensor([[0.0, 0, 96, 64]])
    assert len(background(whole, 5, (64, 96), torch.Generator())) == 0


def test_the_queue_keeps_the_newest_of_each_class():
    queue = EmbeddingQueue(3, 2, 1)
    assert len(queue.content()[0]) == 0
    queue.push(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([0, 2, BACKGROUND]))
    queue.push(torch.tensor([[4.0], [5.0], [6.0]], requires_grad=True), torch.tensor([0, 0, 0]))
    rows, labels = queue.content()
    assert sorted(zip(labels.tolist(), rows[:, 0].tolist(), strict=True)) == [(0, 5.0), (0, 6.0), (2, 2.0)]
    assert not rows.requires_grad
    other = EmbeddingQueue(3, 2, 1)
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other.content()[0], rows)
