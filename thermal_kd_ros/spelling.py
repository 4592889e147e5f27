"""Names that somebody mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_ALIKE = 0.8
"""Names that are alike to this part, by difflib's measure, are taken for the same one, misspelt."""


def meant(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that is so like ``name``, which is none of them, that it was probably meant."""
    return next(iter(difflib.get_close_matches(name, known, 1, _ALIKE)), None)
