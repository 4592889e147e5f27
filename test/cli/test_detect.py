"""``detect`` over real files: every kind of image, what cannot be read, and the numbers of the shipped detector."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_kd_ros import __main__
from thermal_kd_ros.config import CONTRAST_METHODS, PerceptionConfig, with_values
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.models.checkpoint import WEIGHTS_FOLDER, read_card
from thermal_kd_ros.pipeline import ThermalPerception


def thermal(height: int = 96, width: int = 120) -> np.ndarray:
    """Degrees Celsius of a warm body in front of a wall."""
    y, x = np.mgrid[:height, :width]
    body = 14.0 * np.exp(-((x - width / 2) ** 2 / 200 + (y - height / 2) ** 2 / 800))
    noise = np.random.default_rng(0).normal(0, 0.1, (height, width))
    return (19.0 + body + noise).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("images")
    celsius = thermal()
    centikelvin = ((celsius + 273.15) * 100).astype(np.uint16)
    grey = ((celsius - 18) * 12).clip(0, 255).astype(np.uint8)
    (folder / "deep").mkdir()
    cv2.imwrite(str(folder / "a16.png"), centikelvin)
    cv2.imwrite(str(folder / "b16.tiff"), centikelvin)
    cv2.imwrite(str(folder / "c8.jpg"), grey)
    cv2.imwrite(str(folder / "d8.png"), grey)
    cv2.imwrite(str(folder / "deep" / "e_colour.png"), cv2.applyColorMap(grey, cv2.COLORMAP_JET))
    np.save(folder / "f.npy", celsius)
    np.save(folder / "g_large.npy", thermal(200, 300))
    return folder


def detect(*arguments: Any) -> int:
    return __main__.main(["detect", *(str(argument) for argument in arguments)])


RADIOMETRIC = {"a16.png", "b16.tiff", "f.npy", "g_large.npy"}
"""The images of ``folder`` that hold temperatures."""


def check_schema(content: dict[str, Any], layout: str) -> None:
    assert set(content) == {"images"}
    for image in content["images"]:
        assert set(image) == {"file", "width", "height", "detections", "faces"}
        for found in (*image["detections"], *image["faces"]):
            x, y, width, height = found["box"]
            assert 0 <= x <= x + width <= image["width"] + 0.01 and 0 <= y <= y + height <= image["height"] + 0.01
            assert 0.0 <= found["score"] <= 1.0
        warm = {"temperature"} if Path(image["file"]).name in RADIOMETRIC else set()
        assert all(set(found) == {"class", "score", "box"} | warm for found in image["detections"])
        for face in image["faces"]:
            assert set(face) == {"score", "box", "landmarks", "layout"} | warm and face["layout"] == layout
            assert len(face["landmarks"]) == 54
            assert all(len(point) == 3 and 0.0 <= point[2] <= 1.0 for point in face["landmarks"])


def test_a_folder_with_good_and_broken_files(folder: Path, tmp_path: Path, model_options: list[str],
                                             repository: Path) -> None:
    broken = {"broken.png": (folder / "a16.png").read_bytes()[:500], "empty.tif": b""}
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
    output, overlay = tmp_path / "out" / "found.json", tmp_path / "overlay"
    done = subprocess.run(
        [sys.executable, "-m", "thermal_kd_ros", "detect", str(folder), *(str(tmp_path / name) for name in broken),
         str(tmp_path / "absent.png"), "--json", str(output), "--overlay", str(overlay), "--score", "0.0",
         "--set", "face.min_size_px=1", *model_options], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for name in (*broken, "absent.png"):
        assert sum(name in line for line in done.stderr.splitlines()) == 1
    assert done.stderr.count("palette") == 1
    assert "3 of 10" in done.stderr
    content = json.loads(output.read_text())
    check_schema(content, "sf_tl54")
    assert [Path(image["file"]).name for image in content["images"]] == [
        "a16.png", "b16.tiff", "c8.jpg", "d8.png", "e_colour.png", "f.npy", "g_large.npy"]
    assert [(image["width"], image["height"]) for image in content["images"]][-2:] == [(120, 96), (300, 200)]
    assert all(image["detections"] and image["faces"] for image in content["images"])
    assert content["images"][0]["detections"] == content["images"][1]["detections"]
    pictures = sorted(p.relative_to(overlay).as_posix() for p in overlay.rglob("*") if p.is_file())
    assert pictures == ["a16.png.png", "b16.tiff.png", "c8.jpg.png", "d8.png.png", "deep/e_colour.png.png",
                        "f.npy.png", "g_large.npy.png"]
    assert sorted(p.name for p in output.parent.iterdir()) == ["found.json"]


def test_overlays_show_no_bad_pixels(tmp_path: Path, model_options: list[str]) -> None:
    celsius = np.tile(np.linspace(20.0, 30.0, 128, dtype=np.float32), (96, 1))
    np.save(tmp_path / "clean.npy", celsius)
    bad = np.zeros(celsius.shape, bool)
    bad[5::11, 5::11] = True
    np.save(tmp_path / "bad.npy", bad)
    np.save(tmp_path / "broken.npy", np.where(bad, np.float32(90.0), celsius))
    assert detect(tmp_path / "clean.npy", tmp_path / "broken.npy", "--overlay", tmp_path / "shown", "--score", "1",
                  "--set", f"correction.bad_pixel_map={tmp_path / 'bad.npy'}", *model_options) == 0
    clean, broken = (cv2.imread(str(tmp_path / "shown" / f"{name}.npy.png")).astype(int)
                     for name in ("clean", "broken"))
    assert np.abs(clean - broken).max() < 20


def test_the_command_line_gives_what_the_pipeline_gives(folder: Path, tmp_path: Path, model_options: list[str]) -> None:
    assert detect(folder / "f.npy", "--json", tmp_path / "r.json", "--for-metrics", *model_options) == 0
    (image,) = json.loads((tmp_path / "r.json").read_text())["images"]
    config = with_values(PerceptionConfig(), {
        "detector.model": model_options[1], "face.detector_model": model_options[3],
        "face.landmark_model": model_options[5], "detector.score_threshold": 0.01, "detector.max_detections": 300,
        "face.score_threshold": 0.01})
    frame = ThermalFrame.from_array(np.load(folder / "f.npy"), config.thermal)
    found = ThermalPerception(config).process([frame])[0].detections
    assert [entry["score"] for entry in image["detections"]] == pytest.approx(found.scores.tolist(), abs=1e-5)
    corners = [[x, y, x + w, y + h] for x, y, w, h in (entry["box"] for entry in image["detections"])]
    assert np.array(corners).reshape(-1, 4) == pytest.approx(found.boxes, abs=0.02)


def test_a_higher_score_leaves_out_what_is_below(folder: Path, tmp_path: Path, model_options: list[str]) -> None:
    for score in (0.0, 1.0):
        assert detect(folder / "f.npy", "--json", tmp_path / f"{score}.json", "--score", score, *model_options) == 0
    (all_of_it,), (none,) = (json.loads((tmp_path / f"{score}.json").read_text())["images"] for score in (0.0, 1.0))
    assert all_of_it["detections"] and not none["detections"] and not none["faces"]


def test_units_change_nothing_but_the_temperatures(folder: Path, tmp_path: Path, model_options: list[str]) -> None:
    warmest = {}
    found = []
    for unit in ("centikelvin", "counts", "fahrenheit"):
        assert detect(folder / "a16.png", "--json", tmp_path / f"{unit}.json", "--unit", unit, "--score", 0.0,
                      "--set", "contrast.min_span_k=0.01", "--set", "contrast.min_span_counts=1", *model_options) == 0
        content = json.loads((tmp_path / f"{unit}.json").read_text())
        (image,) = content["images"]
        told = [one.pop("temperature", None) for one in (*image["detections"], *image["faces"])]
        assert all((one is None) == (unit == "counts") for one in told)
        warmest[unit] = told[0]
        found.append(content)
    assert found[0] == found[1] == found[2]
    counts = (warmest["centikelvin"]["maximum"] + 273.15) * 100
    assert warmest["fahrenheit"]["maximum"] == pytest.approx((counts - 32) * 5 / 9, abs=0.6)


def test_temperatures_are_those_of_the_pixels(folder: Path, tmp_path: Path, model_options: list[str]) -> None:
    celsius = np.load(folder / "f.npy")
    assert detect(folder / "f.npy", "--json", tmp_path / "r.json", "--score", 0.0, "--set", "face.min_size_px=1",
                  *model_options) == 0
    (image,) = json.loads((tmp_path / "r.json").read_text())["images"]
    for found in (*image["detections"], *image["faces"]):
        x, y, width, height = found["box"]
        inside = celsius[int(y) : math.ceil(y + height), int(x) : math.ceil(x + width)].ravel()
        low, high = np.percentile(inside, (2, 98))
        assert found["temperature"]["maximum"] == pytest.approx(high, abs=0.1)
        assert found["temperature"]["mean"] == pytest.approx(inside[(inside >= low) & (inside <= high)].mean(), abs=0.1)
    assert image["detections"] and image["faces"]
    for face in image["faces"]:
        for (u, v, _), told in zip(face["landmarks"], face["temperature"]["landmarks"], strict=True):
            row, column = int(v // 1), int(u // 1)
            inside = 0 <= row < celsius.shape[0] and 0 <= column < celsius.shape[1]
            assert (told is None) == (not inside)
            if inside:
                near = celsius[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
                assert near.min() - 0.01 <= told <= near.max() + 0.01
        canthus = face["temperature"]["canthus"]
        assert canthus is None or celsius.min() <= canthus <= celsius.max()


def test_a_unit_that_cannot_be_is_pointed_out(folder: Path, tmp_path: Path, model_options: list[str],
                                              capsys: pytest.CaptureFixture[str]) -> None:
    assert detect(folder / "a16.png", folder / "b16.tiff", "--json", tmp_path / "r.json", "--unit", "celsius",
                  *model_options) == 0
    assert capsys.readouterr().err.count("check --unit") == 1


@pytest.mark.parametrize("options, word", [
    ([], "--json"),
    (["--json", "r.json", "--score", "1.5"], "score_threshold"),
    (["--json", "r.json", "--scale", "0.1"], "--unit linear"),
    (["--json", "r.json", "--batch", "0"], "--batch"),
    (["--json", "r.json", "--for-metrics", "--score", "0.5"], "--for-metrics"),
    (["--json", "r", "--overlay", "./r"], "both name r"),
    (["--json", "r.json", "--set", "no.such=1"], "no such parameter"),
])
def test_senseless_options_are_refused(folder: Path, options: list[str], word: str,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    assert detect(folder, *options) == 2
    assert word in capsys.readouterr().err


def test_an_unknown_unit_is_refused_with_the_known_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        detect(folder, "--json", "r.json", "--unit", "banana")
    assert stop.value.code == 2 and "centikelvin" in capsys.readouterr().err


def test_every_contrast_method_reaches_the_networks_and_may_change_live(
        model_options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    model = dict(zip(model_options[::2], model_options[1::2], strict=True))["--model"]
    perception = ThermalPerception(with_values(PerceptionConfig(), {"detector.model": model, "face.enabled": False}))
    seen: list[np.ndarray] = []
    run = perception.networks.detector.run

    def spy(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(batch.copy())
        return run(batch)

    monkeypatch.setattr(perception.networks.detector, "run", spy)
    for i, method in enumerate(CONTRAST_METHODS):
        perception.reconfigure(with_values(perception.config, {"contrast.method": method}))
        perception.process([ThermalFrame.from_array(thermal(), perception.config.thermal, i / 30)])
    assert len(seen) == 4 and all(0.0 <= batch.min() and batch.max() <= 1.0 for batch in seen)
    assert all(np.abs(a - b).max() > 0.02 for i, a in enumerate(seen) for b in seen[:i])


def test_missing_and_corrupt_weights_are_named(folder: Path, tmp_path: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corrupt.safetensors").write_bytes(b"\x00" * 100)
    for model in ("no_such_model", str(tmp_path / "corrupt.safetensors")):
        assert detect(folder, "--json", tmp_path / "r.json", "--model", model, "--no-faces") == 1
        assert model in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()


def test_nothing_usable_writes_nothing(tmp_path: Path, model_options: list[str],
                                       capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert detect(tmp_path / "empty", "--json", tmp_path / "r.json", *model_options) == 1
    assert "has no image" in capsys.readouterr().err and not (tmp_path / "r.json").exists()
    (tmp_path / "a.mcap").touch()
    assert detect(tmp_path / "a.mcap", "--json", tmp_path / "r.json", *model_options) == 1
    assert f"evaluate {tmp_path / 'a.mcap'}" in capsys.readouterr().err and not (tmp_path / "r.json").exists()


def test_an_earlier_result_stays_where_no_image_can_be_used(folder: Path, tmp_path: Path, model_options: list[str],
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / "r.json").write_text("earlier")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    np.save(tmp_path / "bad.npy", np.zeros((5, 7), bool))
    mapped = ["--set", f"correction.bad_pixel_map={tmp_path / 'bad.npy'}"]
    for arguments in ([tmp_path / "broken.png"], [folder / "a16.png", folder / "f.npy", *mapped]):
        assert detect(*arguments, "--json", results / "r.json", *model_options) == 1
        assert f"{results / 'r.json'} was not written" in capsys.readouterr().err
        assert [path.read_text() for path in results.iterdir()] == ["earlier"]


def test_a_place_that_cannot_be_written_is_named(folder: Path, tmp_path: Path, model_options: list[str],
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert detect(folder / "f.npy", "--json", tmp_path / "file" / "r.json", *model_options) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc, where nobody can make a file")
def test_the_place_that_cannot_be_written_is_the_one_that_was_given(folder: Path, model_options: list[str],
                                                                    capsys: pytest.CaptureFixture[str]) -> None:
    assert detect(folder / "f.npy", "--json", "/proc/x.json", *model_options) == 1
    assert "error: /proc/x.json: cannot be written (" in capsys.readouterr().err


def test_a_folder_in_the_place_of_the_json_is_refused_before_the_work(folder: Path, tmp_path: Path,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    assert detect(folder / "f.npy", "--json", tmp_path) == 2
    assert f"{tmp_path}: is a folder" in capsys.readouterr().err


@pytest.mark.parametrize("option, output", [("--json", "a.png"), ("--json", "link.json"),
                                            ("--json", "model.safetensors"), ("--overlay", ".")])
def test_an_input_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, output: str
                                      ) -> None:
    for name in ("a.png", "a.png.png", "model.safetensors"):
        (tmp_path / name).write_text("of a user")
    (tmp_path / "link.json").symlink_to(tmp_path / "a.png")
    assert detect(tmp_path, option, tmp_path / output, "--model", tmp_path / "model.safetensors") == 2
    said = capsys.readouterr().err
    assert f"{option} {tmp_path}" in said and "would be written over the input" in said and len(said.splitlines()) == 1
    assert {path.read_text() for path in tmp_path.iterdir()} == {"of a user"} and len([*tmp_path.iterdir()]) == 4


def test_a_result_that_is_no_number_is_told_and_not_written(folder: Path, tmp_path: Path, model_options: list[str],
                                                            monkeypatch: pytest.MonkeyPatch,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("thermal_kd_ros.entries._round", lambda value, digits: float("nan"))
    assert detect(folder / "f.npy", "--json", tmp_path / "r.json", "--score", 0.0, *model_options) == 1
    said = capsys.readouterr().err
    assert f"error: {folder / 'f.npy'}: internal error" in said and len(said.splitlines()) == 1
    assert not [*tmp_path.iterdir()]


def test_pages_of_a_tiff_that_are_not_used_are_told(tmp_path: Path, model_options: list[str],
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwritemulti(str(tmp_path / "several.tiff"), [((thermal() + 273.15) * 100).astype(np.uint16)] * 2)
    assert detect(tmp_path, "--json", tmp_path / "r.json", *model_options) == 0
    said = capsys.readouterr().err
    assert f"warning: {tmp_path / 'several.tiff'}: " in said and "2 pages" in said


def test_asked_to_end_it_leaves_no_temporary_file(folder: Path, tmp_path: Path, model_options: list[str],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    from thermal_kd_ros import entries

    seen: list[list[str]] = []

    def end(*of_an_image: Any) -> dict[str, Any]:
        seen.append([path.suffix for path in tmp_path.iterdir()])
        if len(seen) == 2:
            # As if the signal came now; a real one would end the tests where nobody answers it.
            answer = signal.getsignal(signal.SIGTERM)
            assert callable(answer)
            answer(signal.SIGTERM, None)
        return {"file": "", "detections": []}

    monkeypatch.setattr(entries, "entry_of", end)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        detect(folder, "--json", tmp_path / "r.json", *model_options)
    assert stop.value.code == 128 + signal.SIGTERM and signal.getsignal(signal.SIGTERM) is before
    assert seen == [[], [".json"]] and not [*tmp_path.iterdir()]


def test_images_of_the_same_name_keep_their_own_pictures(folder: Path, tmp_path: Path, model_options: list[str]
                                                         ) -> None:
    shapes = {"one": (96, 120), "two": (60, 80), "three": (40, 50)}
    for name, shape in shapes.items():
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "frame.npy", thermal(*shape))
    paths = tmp_path / "one", tmp_path / "two", tmp_path / "three" / "frame.npy"
    assert detect(*paths, "--overlay", tmp_path / "overlay", *model_options) == 0
    pictures = [cv2.imread(str(path)).shape[:2] for path in (tmp_path / "overlay").rglob("*.png")]
    assert sorted(pictures) == sorted((2 * height, 2 * width) for height, width in shapes.values())
    assert (tmp_path / "overlay" / "frame.npy.png").is_file()


def test_a_map_that_cannot_be_read_is_named(folder: Path, tmp_path: Path, model_options: list[str],
                                            capsys: pytest.CaptureFixture[str]) -> None:
    assert detect(folder / "f.npy", "--json", tmp_path / "r.json", "--set",
                  f"correction.bad_pixel_map={tmp_path / 'absent.npy'}", *model_options) == 1
    assert "absent.npy" in capsys.readouterr().err and not (tmp_path / "r.json").exists()


def test_images_that_do_not_fit_the_map_are_named_and_left_out(folder: Path, tmp_path: Path, model_options: list[str],
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    bad = np.zeros((96, 120), bool)
    bad[5, 5] = True
    np.save(tmp_path / "bad.npy", bad)
    files = [folder / name for name in ("a16.png", "g_large.npy", "f.npy")]
    assert detect(*files, "--json", tmp_path / "r.json", "--set",
                  f"correction.bad_pixel_map={tmp_path / 'bad.npy'}", *model_options) == 1
    said = capsys.readouterr().err
    assert "g_large.npy: the image is 300 x 200" in said and "1 of 3" in said
    answered = [Path(image["file"]).name for image in json.loads((tmp_path / "r.json").read_text())["images"]]
    assert answered == ["a16.png", "f.npy"]


def test_a_package_that_is_missing_is_named(folder: Path, tmp_path: Path, model_options: list[str],
                                            monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
                                            ) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert detect(folder / "f.npy", "--json", tmp_path / "r.json", *model_options) == 1
    assert "tqdm is not installed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_shipped_detector_reaches_the_numbers_of_its_card(shared_data: Path, tmp_path: Path) -> None:
    name = PerceptionConfig().detector.model
    path = WEIGHTS_FOLDER / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in this checkout")
    promised = [entry["value"] for entry in read_card(path).metrics
                if entry["metric"] == "map50" and "hit_uav" in entry["on"].lower().replace("-", "_")]
    assert promised, "the card gives no map50 on HIT-UAV"
    # One thread: on a busy machine two wait for each other longer than they compute.
    assert detect(shared_data / "hit_uav" / "val", "--json", tmp_path / "r.json", "--for-metrics", "--no-faces",
                  "--set", "engine.threads=1") == 0
    measured = coco_map50(shared_data / "hit_uav" / "val.json", json.loads((tmp_path / "r.json").read_text()))
    assert measured == pytest.approx(promised[0], abs=0.005)


def coco_map50(truth_file: Path, found: dict[str, Any]) -> float:
    """mAP50 of person, car and bicycle by pycocotools alone; ``dont_care`` regions are a crowd of every class."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = json.loads(truth_file.read_text())
    ids = {entry["name"]: entry["id"] for entry in truth["categories"]}
    wanted = [ids[name] for name in ("person", "car", "bicycle")]
    real = [a for a in truth["annotations"] if a["category_id"] in wanted]
    ignored = [{**a, "category_id": category, "iscrowd": 1} for a in truth["annotations"]
               if a["category_id"] == ids["dont_care"] for category in wanted]
    truth["annotations"] = [{**a, "id": i} for i, a in enumerate((*real, *ignored), 1)]
    coco = COCO()
    coco.dataset = {"info": {}, **truth}
    coco.createIndex()
    images = {entry["file_name"]: entry["id"] for entry in truth["images"]}
    rows = [{"image_id": images[Path(image["file"]).name], "category_id": ids[row["class"]], "bbox": row["box"],
             "score": row["score"]} for image in found["images"] for row in image["detections"] if row["class"] in ids]
    run = COCOeval(coco, coco.loadRes(rows), "bbox")
    run.params.catIds = wanted
    run.params.maxDets = [1, 10, 300]
    run.evaluate()
    run.accumulate()
    precision = run.eval["precision"][0, :, :, 0, -1]
    return float(precision[precision > -1].mean())


def test_the_robots_parameter_file_counts_below_the_options(folder: Path, tmp_path: Path, model_options: list[str],
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text("/**:\n  ros__parameters:\n    max_age_s: 2.0\n"
                    "    detector: {score_threshold: 0.0, max_detections: 3, nms_iou: 0.99}\n")

    def counts(*options: Any) -> set[int]:
        assert detect(folder, "--json", tmp_path / "r.json", *model_options, "--no-faces", *options) == 0
        images = json.loads((tmp_path / "r.json").read_text())["images"]
        return {len(image["detections"]) for image in images}

    assert counts("--params", file) == {3}
    assert counts("--params", file, "--set", "detector.max_detections=2") == {2}
    assert counts("--params", file, "--score", "1.0") == {0}
    assert counts("--params", file, "--for-metrics") == {0}, "untrained networks are never as sure as 0.01"
    file.write_text("/**:\n  ros__parameters:\n    detector: {max_detection: 3}\n")
    assert detect(folder, "--json", tmp_path / "r.json", "--params", file) == 2
    assert "is detector.max_detections meant?" in capsys.readouterr().err
