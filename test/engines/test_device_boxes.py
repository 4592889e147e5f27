"""Letterbox, face crops and suppression on a device against OpenCV and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_kd_ros.geometry import FaceCrop, Letterbox
from thermal_kd_ros.nms import select

torch = pytest.importorskip("torch")

from thermal_kd_ros.engines.device.plan import bucket, buckets  # noqa: E402
from thermal_kd_ros.engines.device.resample import DeviceLetterbox, face_crops, weights  # noqa: E402
from thermal_kd_ros.engines.device.suppression import best_candidates, overlaps, packed, suppress, voted  # noqa: E402

MANY = settings(max_examples=60)


@MANY
@given(height=st.integers(1, 150), width=st.integers(1, 150), seed=st.integers(0, 2**16))
def test_letterbox_is_opencv_s(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).random((2, height, width)).astype(np.float32)
    box = Letterbox(height, width, 64, 96)
    got = DeviceLetterbox(box, torch.device("cpu")).apply(torch.from_numpy(image)).numpy()
    # OpenCV leaves out what an area covers of a pixel if it is less than a thousandth.
    np.testing.assert_allclose(got, [box.apply(one) for one in image], atol=2.5e-3)


def test_an_image_of_the_right_size_is_left_alone(device) -> None:
    image = torch.rand(1, 64, 96, device=device)
    assert DeviceLetterbox(Letterbox(64, 96, 64, 96), device).apply(image) is image


@MANY
@given(x=st.integers(-60, 120), y=st.integers(-60, 90), side=st.integers(2, 130), seed=st.integers(0, 2**16),
       size=st.sampled_from([16, 56]))
def test_face_crops_are_opencv_s_beyond_the_borders_too(x: int, y: int, side: int, seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.random((2, 90, 120)).astype(np.float32)
    crops = [FaceCrop(x, y, side, size), FaceCrop(y, x, side + 1, size), FaceCrop(3, 5, size, size)]
    place, image = torch.tensor([[c.x, c.y, c.side] for c in crops], dtype=torch.float32), [1, 0, 1]
    got = face_crops(torch.from_numpy(images), torch.tensor(image), *place.unbind(1), size, whole=False).numpy()
    for one, crop, i in zip(got, crops, image, strict=True):
        np.testing.assert_allclose(one, crop.apply(images[i]), atol=2.5e-3)
    # Nothing is resized here.
    np.testing.assert_allclose(got[2], images[1][5 : 5 + size, 3 : 3 + size], atol=1e-6)


@MANY
@given(start=st.floats(-50, 50), side=st.floats(1, 200), by_area=st.booleans())
def test_weights_sum_to_one_and_are_not_negative(start: float, side: float, by_area: bool) -> None:
    got = weights(torch.tensor([start]).round(), torch.tensor([side]).round(), 20, 70, torch.tensor([by_area]))
    assert (got >= -1e-6).all()
    torch.testing.assert_close(got.sum(dim=2), torch.ones(1, 20), atol=1e-4, rtol=0.0)


def test_whole_numbers_stay_whole_and_holes_stay_holes(device) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(29000, 31000, (1, 90, 120)).astype(np.float32)
    place = [torch.tensor([value], device=device) for value in (20.0, 10.0, 70.0)]
    image = torch.zeros(1, dtype=torch.int64, device=device)
    crop = FaceCrop(20, 10, 70, 32)
    got = face_crops(torch.from_numpy(counts).to(device), image, *place, 32, whole=True)[0].cpu().numpy()
    np.testing.assert_allclose(got, crop.apply(counts[0].astype(np.uint16)), atol=1.0)
    np.testing.assert_array_equal(got, np.rint(got))
    counts[0, 40, 50] = np.nan
    got = face_crops(torch.from_numpy(counts).to(device), image, *place, 32, whole=False)[0].cpu().numpy()
    np.testing.assert_array_equal(np.isnan(got), np.isnan(crop.apply(counts[0])))


def crowd(seed: int, count: int, classes: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Dense outputs whose boxes overlap a lot and whose scores often are equal: there are only ``steps`` of them."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 40, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(-1, 30, (count, 2))], 1).astype(np.float32)
    return boxes, (rng.integers(0, steps + 1, (count, classes)) / steps).astype(np.float32)


@MANY
@given(seed=st.integers(0, 2**16), count=st.integers(1, 120), classes=st.integers(1, 3), iou=st.floats(0.05, 0.95),
       limit=st.integers(1, 30), steps=st.sampled_from([3, 50, 10000]))
def test_suppression_equals_the_host_s_even_with_equal_scores(seed, count, classes, iou, limit, steps) -> None:
    thresholds = np.linspace(0.2, 0.5, classes).astype(np.float32)
    outputs = [crowd(seed + i, count, classes, steps) for i in range(2)]
    boxes, scores = (torch.from_numpy(np.stack(part)) for part in zip(*outputs, strict=True))
    best, score, label = best_candidates(boxes, scores, torch.from_numpy(thresholds))
    overlap = overlaps(best, label)
    alive, enough = suppress(overlap, score, iou, best.shape[1] + 1)
    assert enough.all()
    where, what = voted(overlap, best, score), torch.stack([score, label.float(), torch.ones_like(score)], dim=2)
    rows = torch.cat([where, what], dim=2)
    got = packed(alive, rows, limit).numpy()
    for i, (box, one) in enumerate(outputs):
        kept = got[i][got[i][:, 6] > 0]
        expected = select(box, one, thresholds, iou, limit)
        np.testing.assert_allclose(kept[:, :4], expected[0], atol=1e-4)  # means, in another order of summation
        np.testing.assert_array_equal(kept[:, 4], expected[1])
        np.testing.assert_array_equal(kept[:, 5], expected[2])
        assert (got[i][len(kept):] == 0).all()


@MANY
@given(seed=st.integers(0, 2**16), rounds=st.integers(1, 12))
def test_few_rounds_are_either_right_or_say_that_they_were_too_few(seed, rounds) -> None:
    boxes, scores = (torch.from_numpy(part)[None] for part in crowd(seed, 80, 1, 10000))
    best, score, label = best_candidates(boxes, scores, torch.tensor([0.1]))
    overlap = overlaps(best, label)
    exact, _ = suppress(overlap, score, 0.3, len(best[0]) + 1)
    alive, enough = suppress(overlap, score, 0.3, rounds)
    assert not enough or torch.equal(alive, exact)


def test_a_chain_needs_a_round_for_every_link() -> None:
    # Each box suppresses the next, which therefore does not suppress the one after it.
    x = torch.arange(20.0)[:, None] * 4
    boxes = torch.cat([x, x * 0, x + 10, x * 0 + 10], dim=1)[None]
    score, label = torch.linspace(0.9, 0.5, 20)[None], torch.zeros(1, 20, dtype=torch.int64)
    overlap = overlaps(boxes, label)
    alive, enough = suppress(overlap, score, 0.4, 21)
    assert enough.all() and alive[0].tolist() == [True, False] * 10
    assert not suppress(overlap, score, 0.4, 8)[1].any()


def test_the_best_candidates_are_taken_with_ties_to_the_lower_index(device) -> None:
    scores = torch.tensor([[[0.5, 0.9], [0.5, 0.1], [0.5, 0.9], [float("nan"), 0.0]]], device=device)
    boxes = torch.arange(16.0, device=device).view(1, 4, 4)
    best, score, label = best_candidates(boxes, scores, torch.tensor([0.5, 0.0], device=device), 6)
    assert [(int(b[0]) // 4, int(c)) for b, c in zip(best[0], label[0], strict=True)] == [
        (0, 1), (2, 1), (0, 0), (1, 0), (2, 0), (1, 1)]
    np.testing.assert_allclose(score[0].cpu(), [0.9, 0.9, 0.5, 0.5, 0.5, 0.1])


def test_buckets_hold_what_they_are_for() -> None:
    assert buckets(16) == [1, 2, 4, 8, 16] and buckets(5) == [1, 2, 4, 5] and buckets(0) == []
    for count in range(40):
        assert count <= bucket(count, 64) <= 2 * max(count, 1) and bucket(count, 64) in [0, *buckets(64)]
