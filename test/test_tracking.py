"""Stable ids."""

import numpy as np
import pytest

from thermal_kd_ros.config import TrackingConfig
from thermal_kd_ros.tracking import Tracker


def boxes_at(*corners):
    return np.array([[x, y, x + 20, y + 40] for x, y in corners], np.float32)


def test_moving_objects_keep_their_ids_whatever_their_order():
    tracker = Tracker(TrackingConfig())
    labels = np.zeros(2, np.int64)
    first = tracker.update(boxes_at((0, 0), (100, 0)), labels, 0.0)
    for i in range(1, 10):
        ids = tracker.update(boxes_at((100 - 5 * i, 60), (5 * i, 0)), labels, i / 10)
        if i == 1:
            second = ids
    assert first[0] == ids[1]
    assert second[0] == ids[0] != first[1]


def test_fast_motion_is_predicted():
    tracker = Tracker(TrackingConfig(match_iou=0.3))
    labels = np.zeros(1, np.int64)
    # Steps that grow to a whole width: overlap with the last box alone would be lost.
    positions = np.cumsum([0, 4, 8, 12, 16, 20, 20, 20])
    ids = [int(tracker.update(boxes_at((x, 0)), labels, i / 10)[0]) for i, x in enumerate(positions)]
    assert len(set(ids)) == 1


def test_classes_do_not_share_ids_and_ids_are_never_reused():
    tracker = Tracker(TrackingConfig(max_missed_s=0.5))
    a = tracker.update(boxes_at((0, 0)), np.array([0]), 0.0)[0]
    b = tracker.update(boxes_at((0, 0)), np.array([1]), 0.1)[0]
    c = tracker.update(boxes_at((0, 0)), np.array([0]), 2.0)[0]
    assert len({int(a), int(b), int(c)}) == 3


def test_a_short_gap_is_bridged_and_nothing_is_fine():
    tracker = Tracker(TrackingConfig())
    labels = np.zeros(1, np.int64)
    a = tracker.update(boxes_at((0, 0)), labels, 0.0)[0]
    assert len(tracker.update(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), 0.3)) == 0
    assert tracker.update(boxes_at((1, 0)), labels, 0.6)[0] == a


@pytest.mark.parametrize(("step", "max_missed_s"), [(1.01, 1.0), (0.1, 0.0), (30.0, 1.0)])
def test_what_is_in_every_frame_keeps_its_id_however_slowly_they_come(step, max_missed_s):
    tracker = Tracker(TrackingConfig(max_missed_s=max_missed_s))
    labels = np.zeros(1, np.int64)
    ids = [int(tracker.update(boxes_at((0, 0)), labels, i * step)[0]) for i in range(6)]
    assert len(set(ids)) == 1
    # Once it was missed, time counts.
    tracker.update(np.zeros((0, 4), np.float32), labels[:0], 5.5 * step)
    assert tracker.update(boxes_at((0, 0)), labels, 6 * step + max_missed_s)[0] not in ids


@pytest.mark.parametrize("gap", [0.0, 0.001, 0.005])
def test_frames_that_are_stamped_in_bursts_do_not_throw_predictions_off(gap):
    rng = np.random.default_rng(1)
    tracker = Tracker(TrackingConfig())
    ids = {int(tracker.update(boxes_at((3 * i + rng.normal(0, 0.5), 0)), np.zeros(1, np.int64),
                              (i // 2) / 15 + (i % 2) * gap)[0]) for i in range(100)}
    assert len(ids) == 1


def test_stamps_that_stand_still_keep_ids_and_forget_what_is_gone():
    tracker = Tracker(TrackingConfig())
    labels = np.zeros(2, np.int64)
    stays = tracker.update(boxes_at((0, 0)), labels[:1], 5.0)[0]
    for i in range(100):
        assert tracker.update(boxes_at((0, 0), (100 + 50 * i, 0)), labels, 5.0)[0] == stays
    assert len(tracker._tracks) < 40
    # A short gap is bridged all the same.
    tracker.update(np.zeros((0, 4), np.float32), labels[:0], 5.0)
    assert tracker.update(boxes_at((0, 0)), labels[:1], 5.0)[0] == stays


def test_time_that_jumps_back_starts_anew():
    tracker = Tracker(TrackingConfig())
    labels = np.zeros(1, np.int64)
    a = tracker.update(boxes_at((0, 0)), labels, 100.0)[0]
    assert tracker.update(boxes_at((0, 0)), labels, 1.0)[0] != a


@pytest.mark.parametrize(("step", "pause"), [(1 / 30, 5.0), (1 / 9, 10.0), (2.0, 15.0), (30.0, 100.0)])
def test_after_a_pause_the_same_place_may_hold_something_else(step, pause):
    tracker = Tracker(TrackingConfig())
    labels = np.zeros(1, np.int64)
    ids = [int(tracker.update(boxes_at((0, 0)), labels, step * i)[0]) for i in range(20)]
    assert len(set(ids)) == 1
    assert tracker.update(boxes_at((0, 0)), labels, 19 * step + pause)[0] != ids[0]


def test_what_is_forgotten_gets_a_new_id():
    tracker = Tracker(TrackingConfig())
    labels = np.zeros(1, np.int64)
    first = tracker.update(boxes_at((0, 0)), labels, 1.0)[0]
    tracker.forget()
    assert tracker.update(boxes_at((0, 0)), labels, 1.1)[0] > first
