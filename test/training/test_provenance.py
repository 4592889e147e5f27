"""Sources and licences that a model inherits."""

import dataclasses

import numpy as np
import pytest

from thermal_kd_ros.models.card import ModelCard, ModelError
from thermal_kd_ros.models.checkpoint import write
from training.provenance import OPEN, Provenance, of_card, of_models

CARD = ModelCard("one", "detection", {}, 64, 64, ("person",), licence=OPEN, data=("a", "b"))


def test_sources_are_kept_once_in_order_and_the_stricter_licence_holds():
    own, adapted = Provenance(("a", "b")), Provenance(("b", "c", ""), "research only")
    assert own.merged() == own
    assert own.merged(adapted) == Provenance(("a", "b", "c"), "research only")
    assert adapted.merged(own).licence == "research only"
    both = own.merged(adapted, Provenance(("d",), "CC BY-NC-SA 4.0"))
    assert both.licence == "research only; CC BY-NC-SA 4.0"
    assert both.merged(adapted, both) == both
    assert own.merged(Provenance((), "")).licence == "not stated"


def test_models_are_read_from_their_cards(tmp_path):
    paths = [tmp_path / f"{name}.safetensors" for name in ("1", "2")]
    for path, card in zip(paths, (CARD, dataclasses.replace(CARD, data=("c",), licence="research only")), strict=True):
        write(path, card, {"w": np.zeros(2, np.float32)})
    assert of_models(str(paths[0])) == of_card(CARD) == Provenance(("a", "b"))
    assert of_models(str(paths[0]), "", str(paths[1])) == Provenance(("a", "b", "c"), "research only")
    assert of_models("") == Provenance()
    with pytest.raises(ModelError, match="neither a shipped model"):
        of_models("nothing_there")
