"""Figures on rendered heads that no training saw, and the mean face beside them."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from thermal_kd_ros.geometry import FaceCrop
from training.data.coco import DataError
from training.data.driver_faces import FaceFrame
from training.data.head_cache import HeadCache
from training.data.rendered_faces import CropConfig, LandmarkCrops
from training.landmarks.evaluate_heads import (
    accuracy,
    accuracy_on_faces,
    evaluate,
    held_out_crops,
    main,
    mean_face_rows,
    mean_of_crops,
    mean_of_faces,
)


def face(points, box):
    return FaceFrame(Path("a"), np.zeros((200, 300), np.uint8), np.array(box, np.float32), points.astype(np.float32))


def test_a_mean_face_is_right_on_faces_that_are_alike_and_sees_nothing_of_others():
    rng = np.random.default_rng(0)
    shape = rng.uniform(0.2, 0.8, (54, 2))
    shape[36], shape[45] = (0.3, 0.4), (0.7, 0.4)
    # Boxes of whole pixels whose window, 1.3 times as large, is one too.
    boxes = [[50, 40, 130, 120], [100, 20, 260, 180]]
    alike = [face(FaceCrop.around(np.array(box), 1, 0.15).inverse(shape), box) for box in boxes]
    np.testing.assert_allclose(mean_of_faces(alike), shape, atol=1e-5)
    assert accuracy_on_faces(shape, alike) == pytest.approx(
        {"nme_percent": 0.0, "failure_rate_8_percent": 0.0, "auc_8_percent": 100.0}, abs=1e-3)
    # A tenth of the crop's side off, where the eyes are four tenths of it apart.
    assert accuracy_on_faces(shape + (0.1, 0), alike)["nme_percent"] == pytest.approx(25.0, abs=1e-3)


def test_accuracy_by_counting():
    truth = np.random.default_rng(1).uniform(0, 100, (4, 54, 2))
    truth[:, 36], truth[:, 45] = (20, 50), (70, 50)
    found = truth.copy()
    found[:, :, 1] += np.array([0.0, 2.0, 3.0, 10.0])[:, None]
    assert accuracy(found, truth) == pytest.approx({
        "nme_percent": (0 + 4 + 6 + 20) / 4, "failure_rate_8_percent": 25.0,
        "auc_8_percent": 100 * (1 + 0.5 + 0.25 + 0) / 4})


def test_rows_of_mean_faces_have_the_sets_that_are_there(cache, tmp_path):
    crops = LandmarkCrops(HeadCache([cache]), [], 0, CropConfig(size=32))
    mean = mean_of_crops(crops)
    np.testing.assert_allclose(mean, sum(crops[i][1] for i in range(10)) / 320, atol=1e-6)
    _, points = held_out_crops(HeadCache([cache]), 32)
    assert list(mean_face_rows(mean, points, 32, None)) == ["mean face"]
    assert list(mean_face_rows(mean, points, 32, tmp_path)["mean face"]) == ["rendered"]
    # Relative figures do not depend on how large the crops are.
    _, larger = held_out_crops(HeadCache([cache]), 64)
    small, large = (mean_face_rows(mean, places, size, None)["mean face"]["rendered"]["nme_percent"]
                    for places, size in ((points, 32), (larger, 64)))
    assert small == pytest.approx(large, rel=1e-3)


def test_recorded_faces_have_the_mean_of_rendered_and_of_other_people(cache, shared_data):
    if not all((shared_data / name).is_dir() for name in ("driver_faces", "sf_tl54_sample")):
        pytest.skip("driver_faces or sf_tl54_sample is not on this machine")
    _, points = held_out_crops(HeadCache([cache]), 32)
    rows = mean_face_rows(np.full((54, 2), 0.5), points, 32, shared_data, step=40)
    assert list(rows) == ["mean face", "mean face of people 1_*"]
    assert all(list(sets) == ["rendered", "real", "sf_tl54"] for sets in rows.values())
    # Labelled boxes and labels of the same kind: that alone is worth far more than the middle of the crop.
    assert rows["mean face of people 1_*"]["real"]["nme_percent"] < 13 < 40 < rows["mean face"]["real"]["nme_percent"]


def test_heads_in_profile_are_not_measured(cache, tmp_path):
    with np.load(cache) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["pose"] = np.zeros((10, 3), np.float32)
    arrays["pose"][:, 0] = [0, 44, -44, 46, -46, 90, -90, 10, 170, -10]
    np.savez(tmp_path / "turned.npz", **arrays)
    images, points = held_out_crops(HeadCache([tmp_path / "turned.npz"]), 32)
    assert images.shape == (5, 1, 32, 32) and points.shape == (5, 54, 2)
    crops = LandmarkCrops(HeadCache([tmp_path / "turned.npz"]), [], 99, CropConfig(size=32))
    np.testing.assert_array_equal(points, [crops[i][1] for i in (0, 1, 2, 7, 9)])
    with pytest.raises(DataError, match="turned by at most 0.5 degrees"):
        arrays["pose"][:, 0] = 60
        np.savez(tmp_path / "turned.npz", **arrays)
        held_out_crops(HeadCache([tmp_path / "turned.npz"]), 32, 0.5)


def test_the_shipped_networks_are_far_better_than_a_mean_face(tmp_path, shared_data):
    assets = shared_data / "render_assets"
    if not (assets / "ict_face.npz").is_file():
        pytest.skip(f"the head model is not on this machine ({assets})")
    from training.data.face_renderer import render_cache

    render_cache(16, tmp_path / "held_out.npz", assets, 99_301, 1)
    rows = evaluate(["landmarks_light", "landmarks_tiny"], [tmp_path / "held_out.npz"], [tmp_path / "held_out.npz"],
                    None, 1)
    light, tiny, mean = (rows[name]["rendered"]["nme_percent"] for name in (
        "landmarks_light", "landmarks_tiny", "mean face"))
    assert light < mean / 3 and tiny < mean / 2.5 and 20 < mean < 60
    assert rows["landmarks_light"]["rendered, ordinary crops"]["nme_percent"] < light


def test_what_is_missing_is_told(tmp_path, capsys, cache):
    heads = ["--heads", str(cache)]
    for wrong, said in ((heads, "nothing to measure: give models, --mean-of or both"),
                        (["landmarks_tiny", *heads, "--data", str(tmp_path)], "give --mean-of too"),
                        ([*heads, "--mean-of", str(tmp_path / "none.npz")], "none.npz is missing"),
                        ([*heads, "--mean-of", str(cache), "--step", "0"], "--step 0: give at least 1"),
                        ([*heads, "--mean-of", str(cache), "--data", str(tmp_path / "nowhere")], "no such folder"),
                        ([str(tmp_path / "none.safetensors"), *heads], "none.safetensors")):
        assert main(wrong) == 1
        streams = capsys.readouterr()
        assert not streams.out and streams.err.startswith("error: ") and said in streams.err
    assert main([*heads, "--mean-of", str(cache)]) == 0
    assert set(json.loads(capsys.readouterr().out)["mean face"]["rendered"]) == {
        "nme_percent", "failure_rate_8_percent", "auc_8_percent"}
