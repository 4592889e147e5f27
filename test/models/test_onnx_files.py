"""ONNX model files: made from the shipped weights, with the same facts, and refused if they are not ours."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thermal_kd_ros.config import EngineConfig
from thermal_kd_ros.engines.base import load_engine
from thermal_kd_ros.models.card import CONTENT, ModelCard, ModelError
from thermal_kd_ros.models.checkpoint import read, read_card, resolve, shipped
from thermal_kd_ros.models.onnx_file import DIGEST, PRECISION, content_digest, read_metadata, sealed, weights_digest
from thermal_kd_ros.models.specs import DetectorSpec

onnx = pytest.importorskip("onnx")
RUNTIMES = ("onnxruntime", "openvino")


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_shipped_onnx_is_made_from_the_shipped_weights(path: Path) -> None:
    card, weights = read(path)
    exported = resolve(path.stem, ".onnx")
    metadata = read_metadata(exported)
    again = "run: python3 -m thermal_kd_ros export --all"
    assert metadata[DIGEST] == weights_digest(weights), again
    assert read_card(exported) == card, again
    assert metadata[PRECISION] == "fp32" and metadata[CONTENT] == content_digest(exported)
    assert exported.stat().st_size <= 15_000_000


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_shipped_onnx_is_sound_and_names_no_machine(path: Path) -> None:
    model = onnx.load(str(path.with_suffix(".onnx")))
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props} == read_metadata(path.with_suffix(".onnx"))
    (shape,) = [entry.type.tensor_type.shape.dim for entry in model.graph.input]
    assert shape[0].dim_param and shape[1].dim_value == 1
    for weights in model.graph.initializer:
        weights.ClearField("raw_data")  # a million of weights may spell anything
    content = model.SerializeToString()
    assert b"torch/" not in content and b".py" not in content


def test_the_digest_changes_with_any_weight_name_or_shape() -> None:
    weights = {"a": np.arange(4, dtype=np.float32), "b": np.zeros((), np.int64)}
    others = [{"a": weights["a"] + 1, "b": weights["b"]}, {"a": weights["a"].reshape(2, 2), "b": weights["b"]},
              {"c": weights["a"], "b": weights["b"]}, {"a": weights["a"].astype(np.float64), "b": weights["b"]},
              {"a": weights["a"]}]
    digests = {weights_digest(entry) for entry in (weights, *others)}
    assert len(digests) == 6
    assert weights_digest(dict(reversed(weights.items()))) == weights_digest(weights)


def model_bytes(card: ModelCard | None, shape: tuple[object, ...] = ("batch", 1, 64, 96), outputs: int = 2,
                opset: int = 18) -> bytes:
    """A network that adds 1 to its input, and so often; without the digest of its content."""
    from onnx import TensorProto, helper

    one = helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])
    names = [f"out{i}" for i in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node("Add", ["images", "one"], [name]) for name in names], "add",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names], [one])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if card is not None:
        helper.set_model_props(model, {"card": card.to_json()})
    return model.SerializeToString()


CARD = ModelCard("adder", "detection", DetectorSpec(1).to_dict(), 64, 96, ("person",))


def refused(path: Path, runtime: str, words: str) -> None:
    pytest.importorskip(runtime)
    with pytest.raises(ModelError, match=words) as caught:
        load_engine(str(path), "detection", EngineConfig(backend=runtime, device="cpu"))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_model_of_the_right_kind_runs(tmp_path: Path, runtime: str) -> None:
    pytest.importorskip(runtime)
    (tmp_path / "m.onnx").write_bytes(sealed(model_bytes(CARD)))
    engine = load_engine(str(tmp_path / "m.onnx"), "detection", EngineConfig(backend=runtime, device="cpu"))
    for batch in (1, 3, 13):
        images = np.random.default_rng(batch).random((batch, 1, 64, 96), np.float32)
        for output in engine.run(images):
            np.testing.assert_allclose(output, images + 1, atol=0.01)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("content", "words"), [
    (b"", "not a readable ONNX file"),
    (b"not a model at all", "not a readable ONNX file"),
    (bytes(range(256)) * 40, "not a readable ONNX file"),
    (sealed(model_bytes(None)), "no model card"),
    (model_bytes(CARD)[:-40], "not a readable ONNX file"),
    (model_bytes(CARD), "no digest of its content.*export it again"),
    (sealed(model_bytes(replace(CARD, classes=("person", "car")))), "names 2 classes, but its network tells 1 apart"),
    (sealed(model_bytes(replace(CARD, input_width=0))), "which is no image"),
    (sealed(model_bytes(CARD, shape=("batch", 3, 64, 96))), "takes .* but its card asks for"),
    (sealed(model_bytes(CARD, shape=("batch", 1, 96, 64))), "takes .* but its card asks for"),
    (sealed(model_bytes(CARD, shape=(4, 1, 64, 96))), "takes .* but its card asks for"),
    (sealed(model_bytes(CARD, outputs=1)), "gives 1 outputs, but"),
], ids=["empty", "text", "noise", "no card", "cut", "no digest", "classes", "no width", "colour", "turned",
        "fixed batch", "one output"])
def test_files_that_are_not_ours_are_refused_by_name(tmp_path: Path, runtime: str, content: bytes, words: str) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    refused(tmp_path / "m.onnx", runtime, words)


def test_an_operator_set_from_the_future_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(sealed(model_bytes(CARD, opset=999)))
    refused(tmp_path / "m.onnx", "onnxruntime", "cannot load it .*; export it again, or install a newer")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_damaged_graph_is_refused(tmp_path: Path, runtime: str) -> None:
    """The metadata can be read, the network cannot."""
    content = bytearray(model_bytes(CARD))
    at = content.index(b"Add")
    content[at : at + 3] = b"Bdd"
    (tmp_path / "m.onnx").write_bytes(sealed(bytes(content)))
    refused(tmp_path / "m.onnx", runtime, "cannot load it|cannot compile it")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("part", [np.float32(1.0).tobytes(), b"person", b"precision", b"Add"],
                         ids=["weight", "class", "metadata", "operator"])
def test_damage_that_a_runtime_would_not_notice_is_refused(tmp_path: Path, runtime: str, part: bytes) -> None:
    model = onnx.load_model_from_string(model_bytes(CARD))
    model.metadata_props.add(key="precision", value="fp32")
    content = bytearray(sealed(model.SerializeToString()))
    content[content.index(part) + len(part) - 1] ^= 0x02
    (tmp_path / "m.onnx").write_bytes(content)
    refused(tmp_path / "m.onnx", runtime, "is damaged")


def test_the_digest_is_of_all_but_itself_and_stays_when_another_tool_reads_and_writes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    content = model_bytes(CARD)
    path.write_bytes(sealed(content))
    assert read_metadata(path)[CONTENT] == content_digest(path) == hashlib.sha256(content).hexdigest()
    onnx.save(onnx.load(str(path)), str(path))
    assert read_metadata(path)[CONTENT] == content_digest(path)
