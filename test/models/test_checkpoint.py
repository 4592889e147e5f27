"""Model files: round trip, and a clear message for each way they can be wrong."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from thermal_kd_ros.models.checkpoint import ModelCard, ModelError, read, read_card, resolve, write

CARD = ModelCard("test", "detection", {"classes": 1}, 64, 96, ("person",), parameters=4, data=("rendered",),
                 metrics=({"metric": "map50", "value": 0.5, "on": "nothing", "command": "none"},))


def test_round_trip(tmp_path):
    path = tmp_path / "m.safetensors"
    weights = {"a": np.arange(4, dtype=np.float32).reshape(2, 2), "b": np.array(3)}
    write(path, CARD, weights)
    card, loaded = read(path)
    assert card == CARD
    assert loaded.keys() == weights.keys()
    for name in weights:
        assert loaded[name].shape == weights[name].shape and loaded[name].dtype == weights[name].dtype
        np.testing.assert_array_equal(loaded[name], weights[name])
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    write(path, CARD, {"a": np.zeros(1)})
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        write(path, CARD, {"a": np.ones(1)})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_wrong_files_are_named(tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="broken.safetensors.*fetch it again"):
        read_card(broken)
    bare = tmp_path / "bare.safetensors"
    save_file({"a": np.zeros(1)}, str(bare))
    with pytest.raises(ModelError, match="no model card"):
        read_card(bare)
    for text, words in (("{", "cannot be read"), (json.dumps({"name": "x"}), "cannot be read"),
                        (CARD.to_json().replace('"detection"', '"cooking"'), "cooking")):
        save_file({"a": np.zeros(1)}, str(bare), {"card": text})
        with pytest.raises(ModelError, match=words):
            read_card(bare)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    write(path, CARD, {"a": np.zeros(1000, np.float32)})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="m.safetensors"):
        read(path)


def test_unknown_names_list_what_there_is():
    with pytest.raises(ModelError, match="neither a shipped model"):
        resolve("no_such_model")
