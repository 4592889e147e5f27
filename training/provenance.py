"""Where a model's weights come from: the data that they and what they were made from saw, and the licence in force."""

from __future__ import annotations

from dataclasses import dataclass

from thermal_kd_ros.models.card import ModelCard
from thermal_kd_ros.models.checkpoint import read, read_card, resolve
from thermal_kd_ros.models.onnx_file import weights_digest

OPEN = "Apache-2.0"
"""Licence of weights that nobody else's terms restrict."""
_AND = "; "


@dataclass(frozen=True)
class Provenance:
    """What a model card says of the weights' sources."""

    data: tuple[str, ...] = ()
    """Each data set with its licence."""
    licence: str = OPEN
    """Of the weights: OPEN, or all the terms that hold for them."""

    def merged(self, *others: Provenance) -> Provenance:
        """Of weights made from all of these: every source once, in order, and every term that is stricter than OPEN."""
        parts = (self, *others)
        data = dict.fromkeys(source for part in parts for source in part.data if source)
        # Weights that say nothing of their licence are not ours to open.
        terms = dict.fromkeys(term for part in parts for term in (part.licence or "not stated").split(_AND))
        return Provenance(tuple(data), _AND.join(term for term in terms if term != OPEN) or OPEN)


def of_card(card: ModelCard) -> Provenance:
    """What a model's card states."""
    return Provenance(card.data, card.licence)


def of_models(*names: str) -> Provenance:
    """What weights inherit that start or learn from models, named or by path; empty names say nothing.

    Raises ModelError.
    """
    return Provenance().merged(*(of_card(read_card(resolve(name))) for name in names if name))


def digest_of(name: str) -> str:
    """SHA-256 of a model's weights, named or by path: the same model by whatever name; of an empty name none.

    Raises ModelError.
    """
    return weights_digest(read(resolve(name))[1]) if name else ""
