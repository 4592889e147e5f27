"""Counters, limits and the watchdogs; none needs ROS."""

from __future__ import annotations

import pytest

from thermal_kd_ros.nodes.statistics import DROP_REASONS, RateLimit, StreamStatistics, Throttle
from thermal_kd_ros.nodes.watchdog import ClockWatch, InputWatch, remapping


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rates_counts_and_percentiles() -> None:
    clock = Clock()
    statistics = StreamStatistics(5.0, clock)
    for i in range(300):  # 30 Hz in, every third answered
        clock.now += 1 / 30
        statistics.receive()
        if i % 3 == 0:
            statistics.publish({"total": float(i)})
        else:
            statistics.drop("superseded")
    now = statistics.snapshot()
    assert (now.received, now.published, now.dropped["superseded"]) == (300, 100, 200)
    assert tuple(now.dropped) == DROP_REASONS
    assert now.rate_in_hz == pytest.approx(30, rel=0.02) and now.rate_out_hz == pytest.approx(10, rel=0.05)
    assert now.latency_ms["total"] == pytest.approx((148.5, 282.15))
    clock.now += 60
    assert statistics.snapshot().rate_in_hz == 0.0
    statistics.reset()
    assert statistics.snapshot().received == 0 and statistics.snapshot().latency_ms == {}


@pytest.mark.parametrize(("camera_hz", "limit_hz"), [(30.0, 10.0), (30.0, 20.0), (9.0, 30.0), (60.0, 7.0)])
def test_rate_limit_keeps_the_average(camera_hz: float, limit_hz: float) -> None:
    limit, passed = RateLimit(), 0
    for i in range(int(camera_hz * 60)):
        jitter = 0.003 * (i % 2)
        passed += limit.allows(i / camera_hz + jitter, limit_hz)
    assert passed / 60 == pytest.approx(min(camera_hz, limit_hz), rel=0.02)
    assert limit.allows(0.0, 0.0)


def test_a_pause_saves_up_no_frames() -> None:
    limit = RateLimit()
    limit.allows(0.0, 1.0)
    assert [limit.allows(100.0 + 0.1 * i, 1.0) for i in range(5)] == [True, False, False, False, False]


def test_a_rate_that_is_raised_holds_at_once() -> None:
    limit = RateLimit()
    assert limit.allows(0.0, 0.01)
    assert [limit.allows(1.0 + 0.06 * i, 10.0) for i in range(5)] == [True, False, True, False, True]


def test_throttle_knows_texts_by_their_words() -> None:
    clock = Clock()
    throttle = Throttle(5.0, clock)
    assert throttle.allows("data has 10 bytes") and not throttle.allows("data has 11 bytes")
    assert throttle.allows("step is 3")
    clock.now += 5
    assert throttle.allows("data has 12 bytes")


def watch(samples: list[tuple[int, int, int]], expected_hz: float = 0.0) -> list[str]:
    """Kinds of complaint for (publishers, received, lost) sampled each second, with a silence of 3 s."""
    judge, kinds = InputWatch("/image", "Do this."), []
    for second, (publishers, received, lost) in enumerate(samples):
        complaint = judge.check(float(second), publishers, received, lost, 3.0, expected_hz)
        kinds.append(complaint.kind if complaint else "")
        assert complaint is None or "/image" in complaint.text
    return kinds


def test_a_good_stream_gives_no_complaint() -> None:
    assert watch([(1, 30 * i, i // 4) for i in range(20)], expected_hz=30.0) == [""] * 20


def test_topics_are_remapped_by_the_launch_file_s_own_argument() -> None:
    assert remapping("image", "the camera") == ("image:=<topic of the camera> for ros2 launch, --ros-args -r image:="
                                                "<topic of the camera> for ros2 run")
    several = remapping("arm/left/image", "the camera")
    assert several.startswith("image:=<topic of the camera, {camera} for the camera's name> for ros2 launch")
    assert several.endswith("-r arm/left/image:=<topic of the camera> for ros2 run")


def test_an_absent_publisher_is_noticed_after_the_silence() -> None:
    assert watch([(0, 0, 0)] * 5) == ["", "", "", "absent", "absent"]


def test_a_silent_publisher_is_noticed_after_the_silence_that_follows_its_start() -> None:
    assert watch([(0, 0, 0)] * 2 + [(1, 0, 0)] * 4 + [(1, 5, 0)]) == ["", "", "", "", "", "silent", ""]


def test_lost_frames_are_noticed_though_some_arrive() -> None:
    assert watch([(1, i // 3, 29 * i) for i in range(6)]) == ["", "", "", "lossy", "lossy", "lossy"]


def test_fewer_frames_than_expected_are_noticed() -> None:
    samples = [(1, 10 * i, 0) for i in range(5)]
    assert watch(samples, expected_hz=30.0)[3:] == ["slow", "slow"]
    assert watch(samples, expected_hz=15.0) == [""] * 5


def test_only_a_run_of_stale_frames_points_to_the_clock() -> None:
    judge = ClockWatch()
    for _ in range(14):
        assert judge.check("/image", 3.0, 0.5) == "stale"
    assert judge.check("/image", 0.1, 0.5) == ""
    for _ in range(14):
        judge.check("/image", 3.0, 0.5)
    assert judge.complaint is None
    judge.check("/image", 3.25, 0.5)
    assert judge.complaint is not None and "max_age_s" in judge.complaint.text and "3.2 s" in judge.complaint.text
    assert judge.check("/image", None, 0.5) == "" and judge.complaint is None


def test_frames_from_the_future_point_to_the_clock_too_and_are_not_mixed_with_old_ones() -> None:
    judge = ClockWatch()
    for age in [3.0] * 14 + [-2.0] * 14:
        judge.check("/image", age, 0.5)
    assert judge.complaint is None
    assert judge.check("/image", -2.25, 0.0) == "ahead"
    assert judge.complaint is not None and judge.complaint.kind == "ahead" and not judge.complaint.nothing_came
    assert "later than now" in judge.complaint.text and "2.2 s" in judge.complaint.text
    # Clocks that are kept together differ a little.
    assert judge.check("/image", -0.02, 0.5) == "" and judge.complaint is None
