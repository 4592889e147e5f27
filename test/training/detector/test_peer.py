"""The peer sees the crops that our run saw, and is measured by what it finds."""

import json

import cv2
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from training.data.coco import DataError  # noqa: E402
from training.detector import peer  # noqa: E402
from training.detector.experiment import DataPart, Experiment  # noqa: E402
from training.detector.train import begin_epoch, build_mixture  # noqa: E402

CATEGORIES = [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}, {"id": 3, "name": "dont_care"}]


@pytest.fixture
def root(tmp_path):
    """A set of 64 x 96 images with a car in each, in the same place, and an ignore region."""
    for split in ("train", "val"):
        folder = tmp_path / "set" / split
        folder.mkdir(parents=True)
        images, annotations = [], []
        for i in range(5):
            values = np.full((64, 96), 30 + i, np.uint8)
            values[20:40, 16:56] = 200
            cv2.imwrite(str(folder / f"{i}.png"), values)
            images.append({"id": i, "file_name": f"{i}.png", "width": 96, "height": 64})
            for category, box in ((2, [16, 20, 40, 20]), (3, [70, 10, 20, 20])):
                annotations.append({"id": len(annotations), "image_id": i, "category_id": category, "bbox": box})
        (tmp_path / "set" / f"{split}.json").write_text(
            json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES}))
    return tmp_path


def test_crops_are_those_of_the_run(root, tmp_path):
    experiment = Experiment(classes=("person", "bicycle", "car", "dog"), parts=(DataPart("coco", "set"),),
                            train_size=(64, 96), epochs=2, batch=2, mosaic_off=1, seed=3)
    output = tmp_path / "crops"
    assert peer.write_crops(experiment, root, output) == 8  # two whole batches an epoch, two epochs
    mixture = build_mixture(experiment, root)
    begin_epoch(mixture, experiment, 1)
    assert not mixture.mosaic_on
    image, boxes, labels, _ = mixture[2]
    stored = cv2.imread(str(output / "images" / "000006.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(stored / 255, image[0], atol=0.5 / 255 + 1e-6)
    rows = np.array([[float(x) for x in line.split()]
                     for line in (output / "labels" / "000006.txt").read_text().splitlines()]).reshape(-1, 5)
    wanted = boxes[labels == 2]
    assert (labels == -1).any() or len(rows) == len(boxes)
    np.testing.assert_array_equal(rows[:, 0], np.full(len(wanted), peer.CLASSES.index("car")))
    centre, size = rows[:, 1:3] * (96, 64), rows[:, 3:] * (96, 64)
    np.testing.assert_allclose(np.hstack([centre - size / 2, centre + size / 2]).reshape(-1, 4), wanted, atol=1e-3)
    settings = yaml.safe_load((output / "data.yaml").read_text())
    assert settings["names"][0] == "person" and (output / settings["train"]).is_dir()
    (looked_at,) = (output / settings["val"]).read_text().splitlines()
    assert (output / looked_at).is_file()
    with pytest.raises(DataError, match="is not empty"):
        peer.write_crops(experiment, root, output)


def constant_network(path, output):
    """An ONNX file that answers every image with the same."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
         helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
         helper.make_node("Add", ["answer", "nothing"], ["output0"])],
        "peer", [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 96])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, list(output.shape))],
        [numpy_helper.from_array(output, "answer"), numpy_helper.from_array(np.zeros((), np.float32), "zero")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_a_peer_that_finds_the_car_is_right_and_one_that_does_not_is_wrong(root, tmp_path):
    pytest.importorskip("onnxruntime")
    car, nothing = 4 + peer.CLASSES.index("car"), 0.0
    answer = np.full((1, 7, 2), nothing, np.float32)
    answer[0, :4, 0] = 36, 30, 40, 20
    answer[0, car, 0] = 0.9
    answer[0, :4, 1] = 80, 20, 18, 18  # in the ignore region: neither right nor wrong
    answer[0, car, 1] = 0.95
    scores = peer.evaluate_peer(constant_network(tmp_path / "a.onnx", answer), root / "set")
    assert scores["ap50/car"] == pytest.approx(1.0) and scores["map50"] == pytest.approx(1.0)
    answer[0, 0, 0] = 70
    scores = peer.evaluate_peer(constant_network(tmp_path / "b.onnx", answer), root / "set")
    assert scores["ap50/car"] == pytest.approx(0.0)


def test_other_files_are_refused(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    assert peer.main(["evaluate", str(broken), "--root", str(tmp_path)]) == 1
    assert "cannot be opened as ONNX" in capsys.readouterr().err
    other = constant_network(tmp_path / "other.onnx", np.zeros((1, 84, 2), np.float32))
    assert peer.main(["evaluate", str(other), "--root", str(tmp_path)]) == 1
    assert "not a YOLOv8 of 3 classes" in capsys.readouterr().err


def test_a_negative_seed_is_told_by_its_name(tmp_path, capsys):
    output = str(tmp_path / "crops")
    assert peer.main(["crops", "choices", "--seed", "-1", "--data", str(tmp_path), "--output", output]) == 1
    assert capsys.readouterr().err.startswith("error: --seed -1: give a value in 0..")
