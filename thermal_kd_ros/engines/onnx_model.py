"""What the runtimes for ONNX files share: the file, its card, and the check that it is one of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..models.card import CONTENT, ModelCard, ModelError, check_card
from ..models.checkpoint import read_card
from ..models.onnx_file import PRECISION, content_digest, read_metadata


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file with its card."""

    path: Path
    card: ModelCard
    precision: str
    """Of the numbers in the file: fp32, fp16 or int8."""

    @classmethod
    def read(cls, path: Path) -> OnnxModel:
        """Raises ModelError if the file is not one of this package, or is damaged."""
        card, metadata = read_card(path), read_metadata(path)
        if CONTENT not in metadata:
            raise ModelError(f"{path}: carries no digest of its content, so damage would go unnoticed; export it again")
        if metadata[CONTENT] != content_digest(path):
            raise ModelError(f"{path}: is damaged, its content is not what was written; export or fetch it again")
        check_card(card, path)
        return cls(path, card, metadata.get(PRECISION, "fp32"))

    def check_signature(self, inputs: Sequence[tuple[int | None, ...]], outputs: int) -> None:
        """Compare shapes of the inputs (None where it is free) and the number of outputs; raises ModelError."""
        wanted = (None, 1, self.card.input_height, self.card.input_width)
        if list(inputs) != [wanted] or outputs != 2:
            raise ModelError(f"{self.path}: takes {list(inputs)} and gives {outputs} outputs, but its card asks for "
                             f"one input {wanted} and 2 outputs; export it again")

    def unusable(self, runtime: str, error: Exception) -> ModelError:
        """What to say if a runtime cannot load the file, e.g. because its operator set is too new."""
        first = str(error).strip().splitlines() or [type(error).__name__]
        return ModelError(f"{self.path}: {runtime} cannot load it ({first[-1].strip()}); export it again, or install a "
                          f"newer {runtime}")
