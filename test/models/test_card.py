"""Model cards: values that no network has, and values that do not go together, are named before anything runs."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from thermal_kd_ros.models.card import ModelCard, ModelError, check_card
from thermal_kd_ros.models.checkpoint import read_card, shipped
from thermal_kd_ros.models.specs import DetectorSpec, LandmarkerSpec

PATH = Path("folder/m.safetensors")
SPEC = DetectorSpec(3, strides=(8, 16, 32), pyramid_channels=(8, 8, 8))
DETECTOR = ModelCard("d", "detection", SPEC.to_dict(), 64, 96, ("person", "car", "dog"),
                     metrics=({"metric": "map50", "value": 0.5},))
LANDMARKS = ModelCard("l", "landmarks", LandmarkerSpec().to_dict(), 112, 112, layout="sf_tl54")


def told(error: ModelError) -> str:
    text = str(error)
    assert text.startswith(f"{PATH}: ") and "\n" not in text and len(text) < 300
    return text


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_the_cards_of_shipped_models_are_sound(path: Path) -> None:
    card = read_card(path)
    check_card(card, path)
    assert ModelCard.from_json(card.to_json(), path) == card


@pytest.mark.parametrize(("name", "value", "words"), [
    ("input_width", "640", 'input_width is "640", not a whole number'),
    ("input_width", 96.0, "input_width is 96.0, not a whole number"),
    ("input_width", True, "input_width is true"),
    ("input_height", -64, "input_height is -64"),
    ("input_width", 0, "an input of 0 x 64, which is no image"),
    ("classes", [1, 2], r"classes is \[1, 2\], not a list of texts"),
    ("classes", "person", "classes is .*not a list of texts"),
    ("classes", None, "classes is null"),
    ("normalisation", None, "normalisation is null, not an object"),
    ("architecture", [3], "architecture is .*not an object"),
    ("metrics", ["0.5"], "metrics is .*not a list of objects"),
    ("name", 3, "name is 3, not a text"),
    ("layout", ["x" * 1000], "layout is .*not a text"),
    ("parameters", "many", "parameters is"),
    ("task", "cooking", "task 'cooking', known are"),
    ("flavour", 1, "its model card cannot be read .*flavour"),
])
def test_an_entry_of_the_wrong_kind_is_named(name: str, value: Any, words: str) -> None:
    values = json.loads(DETECTOR.to_json())
    values[name] = value
    with pytest.raises(ModelError, match=words) as caught:
        ModelCard.from_json(json.dumps(values), PATH)
    told(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{}", "[" * 10_000])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="cannot be read") as caught:
        ModelCard.from_json(text, PATH)
    told(caught.value)


@pytest.mark.parametrize(("card", "changes", "words"), [
    (DETECTOR, {"classes": ("person", "car")}, "names 2 classes, but its network tells 3 apart"),
    (DETECTOR, {"classes": ("person", "car", "person")}, "names a class twice"),
    (DETECTOR, {"classes": (), "architecture": {"classes": 0}}, "names no class"),
    (DETECTOR, {"input_height": 7, "input_width": 7}, "an input of 7 x 7, not of multiples of 32"),
    (DETECTOR, {"input_width": 80}, "an input of 80 x 64, not of multiples of 32"),
    (DETECTOR, {"architecture": {"classes": "3"}}, 'classes is "3", not a whole number'),
    (DETECTOR, {"architecture": {"strides": 8}}, "strides is 8, not a list of whole numbers"),
    (DETECTOR, {"architecture": {"strides": [8, 16]}}, "strides 8, 16, which are not the last of 4, 8, 16, 32"),
    (DETECTOR, {"architecture": {"strides": []}}, "strides"),
    (DETECTOR, {"architecture": {"strides": [32]}}, "3 pyramid_channels for 1 strides"),
    (DETECTOR, {"architecture": {"backbone": "mobilenet_v2"}}, "no network that runs here .*backbone"),
    (DETECTOR, {"task": "landmarks"}, "no network that runs here"),
    (LANDMARKS, {"layout": "ibug68"}, "gives 54 points, but its card's layout ibug68 has 68"),
    (LANDMARKS, {"layout": "squares"}, "unknown landmark layout 'squares'; known"),
    (LANDMARKS, {"architecture": {"points": 68}}, "gives 68 points"),
    (LANDMARKS, {"architecture": {"channels": 3}}, "images of 3 channels, thermal ones have one"),
    (LANDMARKS, {"architecture": {"reach": float("nan")}}, "reach is NaN, not a number above 0"),
    (LANDMARKS, {"input_width": 96}, "96 x 112, but its network sees crops of 112 x 112"),
    (LANDMARKS, {"input_width": 100, "input_height": 100, "architecture": {"size": 100}}, "not of multiples of 16"),
])
def test_entries_that_do_not_go_together_are_named(card: ModelCard, changes: dict[str, Any], words: str) -> None:
    check_card(card, PATH)
    changed = {**changes, "architecture": {**card.architecture, **changes.get("architecture", {})}}
    with pytest.raises(ModelError, match=words) as caught:
        check_card(dataclasses.replace(card, **changed), PATH)
    told(caught.value)


def test_cards_are_checked_without_pytorch(repository: Path) -> None:
    code = "import sys; import thermal_kd_ros.models.checkpoint; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
