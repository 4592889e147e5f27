"""Head poses against annotations of real drivers."""

import numpy as np
import pytest

pytest.importorskip("torch")

from training.data.coco import DataError
from training.landmarks.head_pose import annotated_angles, compare, driver_poses, main


def test_annotations_in_our_signs_and_numbering(tmp_path):
    sequence = tmp_path / "1_Man_NoGlasses_Yawning2"
    sequence.mkdir()
    path = sequence / "state_annotations.txt"
    path.write_text("timestamp;face id;yaw;pitch;roll\n0;0;161.0;-7.5;2.0;x\n4;0;-10000;-10000;-10000;x\n")
    found = annotated_angles(sequence)
    assert list(found) == [250]
    np.testing.assert_allclose(found[250], [19.0, 7.5, 2.0])
    path.write_text("timestamp;face id;yaw;pitch;roll\n0;0;161.0;no\n")
    with pytest.raises(DataError, match="line 2"):
        annotated_angles(sequence)
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        annotated_angles(sequence)


def test_an_offset_costs_nothing_and_noise_does():
    rng = np.random.default_rng(0)
    theirs = rng.normal(0, 10, (500, 3))
    figures = compare(theirs + (178.0, 5.0, -3.0), theirs)
    for name, offset in (("yaw", 178.0), ("pitch", 5.0), ("roll", -3.0)):
        assert figures[name]["correlation"] == pytest.approx(1.0)
        assert figures[name]["offset_deg"] == pytest.approx(offset)
        assert figures[name]["mae_deg"] == pytest.approx(0.0, abs=1e-9)
    noisy = compare(theirs + rng.normal(0, 2.0, theirs.shape), theirs)
    # The mean absolute value of a normal variable is 0.8 of its standard deviation.
    assert noisy["pitch"]["mae_deg"] == pytest.approx(2.0 * np.sqrt(2 / np.pi), rel=0.1)
    assert 0.95 < noisy["roll"]["correlation"] < 1.0


def test_no_figures_are_printed_of_nothing(tmp_path, capsys, empty_drivers):
    assert main(["--data", str(tmp_path), "--focal", "-1"]) == 1
    assert capsys.readouterr() == ("", "error: --focal -1.0: give at least 1\n")
    (empty_drivers / "state_annotations.txt").write_text("timestamp;face id;yaw;pitch;roll\n")
    with pytest.raises(DataError, match=r"none of 1 frames of the people 2_\* has an annotated pose"):
        driver_poses(tmp_path, "2", 300.0)


def test_the_labelled_points_of_drivers_give_the_annotated_turns(shared_data):
    if not (shared_data / "driver_faces").is_dir():
        pytest.skip("driver_faces is not on this machine")
    ours, theirs = driver_poses(shared_data, "2", 300.0, step=9)
    figures = compare(ours, theirs)
    assert len(ours) > 40
    for name, correlation, error in (("yaw", 0.85, 2.5), ("pitch", 0.6, 3.0), ("roll", 0.9, 1.0)):
        assert figures[name]["correlation"] > correlation, (name, figures)
        assert figures[name]["mae_deg"] < error, (name, figures)
    # Their zero is ours, but for a few degrees.
    assert max(abs(figures[name]["offset_deg"]) for name in figures) < 6
