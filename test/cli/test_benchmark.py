"""``benchmark`` as a user runs it, short."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from thermal_kd_ros.__main__ import main

ONE_THREAD = ["--set", "engine.threads=1", "--device", "cpu"]


def shaped(value: Any, shape: Any, where: str = "") -> None:
    """Check JSON against a shape: types, dictionaries of shapes, one-element lists for lists of a shape."""
    if isinstance(shape, dict):
        assert isinstance(value, dict) and shape.keys() <= value.keys(), f"{where}: {value}"
        for name, inner in shape.items():
            shaped(value[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list) and value, f"{where}: {value}"
        for i, entry in enumerate(value):
            shaped(entry, shape[0], f"{where}[{i}]")
    else:
        assert isinstance(value, shape), f"{where}: {value!r} is no {shape}"


SUMMARY = {"p50": float, "p95": float, "p99": float, "count": int}
HEAD = {"format": int, "host": {"cpu": str, "cores": int, "gpus": list, "load_before": float},
        "versions": {"thermal_kd_ros": str, "numpy": str}, "models": [{"file": str, "sha256": str}],
        "settings": {"rounds": int}}


def measured(folder: Path, *arguments: str) -> Any:
    assert main(["benchmark", *arguments, "--out", str(folder), *ONE_THREAD]) == 0
    text = (folder / "benchmark.json").read_text()
    assert str(folder.parent) not in text and str(Path.home()) not in text, "no paths of the machine"
    result = json.loads(text)
    shaped(result, HEAD)
    assert all(len(model["sha256"]) == 64 for model in result["models"])
    return result


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's network: three channels, one convolution."""
    onnx = pytest.importorskip("onnx")
    import numpy as np

    weights = onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2])], "peer",
        [onnx.helper.make_tensor_value_info("x", kind, [1, 3, 64, 64])],
        [onnx.helper.make_tensor_value_info("y", kind, None)], [weights])
    path = tmp_path_factory.mktemp("peer") / "peer.onnx"
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_the_parts_without_ros(tmp_path: Path, peer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    result = measured(tmp_path, "--parts", "stages", "engines", "memory", "--rounds", "2", "--memory-frames", "12",
                      "--peer", f"tiny={peer}")
    shaped(result["stages"], {"backend": str, "rows": [{"faces_shown": int, "total_ms": SUMMARY,
                                                        "stages_ms": {"detect": SUMMARY, "landmarks": SUMMARY}}]})
    for row in result["stages"]["rows"]:
        parts = sum(stage["p50"] for stage in row["stages_ms"].values())
        assert 0.3 * row["total_ms"]["p50"] < parts < 1.7 * row["total_ms"]["p50"], "stages make up the whole"
        assert row["total_ms"]["count"] == row["stages_ms"]["detect"]["count"] == 2
    engines = result["engines"]
    shaped(engines, {"backends": dict, "rows": [{"backend": str, "case": str, "ms": SUMMARY,
                                                 "of_pipeline": float, "cpu_of_pipeline": float}]})
    assert "torch" in engines["backends"]
    for row in engines["rows"]:
        if row["case"].startswith("whole"):
            assert row["of_pipeline"] == row["cpu_of_pipeline"] == 1.0
    peers = {row["backend"] for row in engines["rows"] if row["case"].startswith("tiny")}
    assert peers == set(engines["backends"]) - {"torch"}
    memory = result["memory"]
    shaped(memory, {"frames": int, "median_mib": float, "largest_deviation": float})
    assert memory["frames"] == 12 and 50 < memory["median_mib"] < 20000 and 0 <= memory["largest_deviation"] < 1
    tables = (tmp_path / "benchmark.md").read_text()
    assert tables in capsys.readouterr().out
    for title in ("### Stages", "### Engines", "### Memory"):
        assert title in tables and title in (tmp_path / "ratios.md").read_text()
    pytest.importorskip("matplotlib")
    for name in ("stages", "engines", "memory"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.ros
@pytest.mark.slow
def test_the_node_and_its_cameras(tmp_path: Path) -> None:
    pytest.importorskip("vision_msgs")
    result = measured(tmp_path, "--parts", "node", "cameras", "--seconds", "0.6", "--repeats", "1")
    node, cameras = result["node"], result["cameras"]
    shaped(node, {"backend": str, "throughput": {"node_of_bare": float, "cpu_node_of_bare": float},
                  "highest_rate": {"rate_hz": float},
                  "steady": [{"rate_hz": float, "loss": float, "p50": float, "p95": float, "cpu_cores": float}]})
    assert node["throughput"]["node_of_bare"] > 0.0 and [row["rate_hz"] for row in node["steady"]] == [10, 30, 60]
    assert all(0.0 <= row["loss"] <= 1.0 for row in node["steady"])
    for tried in node["highest_rate"]["tried"]:
        assert (tried["loss"] < 0.05) == (tried["rate_hz"] <= node["highest_rate"]["rate_hz"])
    shaped(cameras, {"rows": [{"cameras": int, "of_one_camera": float, "least_of_most": float}]})
    assert [row["cameras"] for row in cameras["rows"]] == [1, 2, 4, 8]
    assert cameras["rows"][0]["of_one_camera"] == 1.0 and all(row["answers_hz"] > 0 for row in cameras["rows"])
    assert math.isfinite(cameras["rss_mib"])


@pytest.mark.parametrize(("arguments", "said"), [
    (["--peer", "yolo"], "NAME=FILE.onnx"), (["--peer", "yolo=/nowhere/yolo.onnx"], "no file /nowhere/yolo.onnx"),
    (["--rounds", "0"], "at least 1"),
    (["--parts", "memory", "--peer", f"own={__file__}"], "the part engines"),
    (["--set", "face.max_faces=many"], "face.max_faces"),
])
def test_arguments_that_make_no_sense_are_named(arguments: list[str], said: str, tmp_path: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--out", str(tmp_path / "out"), *arguments]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(("backend", "why"), [("torch", "theirs: peers run with onnxruntime and openvino"),
                                              ("onnxruntime", "theirs on onnxruntime: ")])
def test_a_peer_that_cannot_be_run_shows_in_the_exit_code(tmp_path: Path, backend: str, why: str,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(backend)
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    arguments = ["--parts", "engines", "--rounds", "1", "--peer", f"theirs={tmp_path / 'broken.onnx'}", "--out",
                 str(tmp_path / "out"), "--model", "face_detector", "--landmark-model", "landmarks_tiny", *ONE_THREAD]
    assert main(["benchmark", "--backends", backend, *arguments]) == 1
    captured = capsys.readouterr()
    assert "### Engines" in captured.out and f"left out: {why}" in captured.out
    assert "error: theirs could not be measured" in captured.err
    assert json.loads((tmp_path / "out" / "benchmark.json").read_text())["engines"]["peers_left_out"] == ["theirs"]


def test_a_peer_that_cannot_be_run_is_left_out_with_the_reason(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from thermal_kd_ros.benchmark.peers import peer_runner
    from thermal_kd_ros.config import EngineConfig
    from thermal_kd_ros.engines.base import EngineError, load_engine

    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    config = EngineConfig(backend="onnxruntime", device="cpu", threads=1)
    ours = load_engine("landmarks_light", "landmarks", config)
    with pytest.raises(EngineError, match="broken.onnx: cannot be run"):
        peer_runner(broken, ours, config)


def test_what_could_not_be_measured_is_null(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    from thermal_kd_ros.benchmark import stages

    figures = {"memory": {"rss_mb": [1.0, math.nan]}}
    monkeypatch.setattr(stages, "measure_memory", lambda config, frames: figures)
    monkeypatch.setattr("thermal_kd_ros.benchmark.report.markdown", lambda result, times=True: "")
    monkeypatch.setattr("thermal_kd_ros.benchmark.plots.draw", lambda result, folder: [])
    assert main(["benchmark", "--parts", "memory", "--quick", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "benchmark.json").read_text()
    assert "NaN" not in text and json.loads(text)["memory"] == {"memory": {"rss_mb": [1.0, None]}}
    figures["memory"]["rss_mb"][1] = math.inf
    assert main(["benchmark", "--parts", "memory", "--quick", "--out", str(tmp_path / "other")]) == 1
    assert "internal error" in capsys.readouterr().err and not list((tmp_path / "other").iterdir())


def test_a_place_that_is_no_folder_is_told_before_anything_is_measured(tmp_path: Path,
                                                                       capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("of a user")
    for place, said in (("file", "is a file"), ("file/below", "cannot be written")):
        assert main(["benchmark", "--parts", "memory", "--out", str(tmp_path / place)]) == 2
        assert capsys.readouterr().err.startswith(f"error: --out {tmp_path / place}: {said}")
    assert (tmp_path / "file").read_text() == "of a user"
