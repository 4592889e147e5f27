"""List the models that come with the package, with their cards."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models.card import ModelCard

HELP = "list the shipped models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``models``."""
    parser.add_argument("models", nargs="*", metavar="MODEL",
                        help="shipped models or model files to show instead of all")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the cards as JSON")
    form.add_argument("--markdown", action="store_true", help="print the README's section")


def run(args: argparse.Namespace) -> int:
    """Print the cards; 1 if a file has none that can be read, or nothing is shipped."""
    from ..models.card import ModelError
    from ..models.checkpoint import WEIGHTS_FOLDER, read_card, resolve, shipped
    from ..output import ResultError, as_json

    names = args.models or [str(path) for path in shipped()]
    cards: list[tuple[Path, ModelCard]] = []
    failed = 0
    for name in names:
        try:
            path = resolve(name)
            cards.append((path, read_card(path)))
        except ModelError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    if names and not cards:
        return 1
    if not names:
        print(f"error: there is no model in {WEIGHTS_FOLDER}; install the package again, or train one",
              file=sys.stderr)
        return 1
    if args.json:
        content = [{**asdict(card), "file": str(path), "bytes": path.stat().st_size} for path, card in cards]
        try:
            print(as_json(content, indent=2))
        except ResultError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    elif args.markdown:
        print(markdown([card for _, card in cards]))
    else:
        print("\n\n".join(describe(path, card) for path, card in cards))
    return 1 if failed else 0


def describe(path: Path, card: ModelCard) -> str:
    """A card in a few lines for people."""
    gives = ", ".join(card.classes) if card.classes else card.layout
    rows = [
        ("gives", gives),
        ("input", f"{card.input_width} x {card.input_height}, one channel"),
        *([("contrast", _contrast(card))] if card.task == "detection" else []),
        ("parameters", f"{card.parameters / 1e6:.3f} million"),
        ("file", f"{path} ({path.stat().st_size / 1e6:.1f} MB)"),
        ("licence", card.licence or "not stated"),
        *(("data" if i == 0 else "", text) for i, text in enumerate(card.data)),
        *(("measured" if i == 0 else "", f"{on}: {figures}  [{command}]")
          for i, (on, figures, command) in enumerate(measured(card))),
        *([("notes", card.notes)] if card.notes else []),
    ]
    return "\n".join([f"{card.name}  ({card.task})", *(f"  {name:<11} {text}" for name, text in rows)])


def markdown(cards: list[ModelCard]) -> str:
    """The README's table of models, of what they saw, and of what was measured."""
    models = ["| model | gives | input | parameters | trained on |", "|---|---|---|---|---|"]
    figures = ["| model | measured on | figures | command |", "|---|---|---|---|"]
    for card in cards:
        gives = ", ".join(card.classes) if card.classes else f"landmarks ({card.layout})"
        size = f"{card.input_width} x {card.input_height} | {card.parameters / 1e6:.2f} million"
        models.append(f"| `{card.name}` | {gives} | {size} | {'; '.join(card.data)} |")
        figures += [f"| `{card.name}` | {on} | {values} | `{command}` |" for on, values, command in measured(card)]
    return "\n".join([*models, "", *figures])


def _contrast(card: ModelCard) -> str:
    from ..config import ConfigError, ContrastConfig
    from ..tone import contrast_for, contrast_in_card

    try:
        values = contrast_in_card(contrast_for(ContrastConfig(), card.normalisation))
    except ConfigError as error:
        return str(error)
    return f"{values.pop('method')} ({', '.join(f'{name} {value:g}' for name, value in values.items())})"


def measured(card: ModelCard) -> list[tuple[str, str, str]]:
    """What a card's figures were measured on, the figures, and the command; one row for each run of a command."""
    rows: dict[tuple[str, str], list[str]] = {}
    for entry in card.metrics:
        value = entry.get("value")
        number = f"{value:.4g}" if isinstance(value, float) else str(value)
        place = str(entry.get("on", "")), str(entry.get("command", ""))
        rows.setdefault(place, []).append(f"{entry.get('metric', '?')} {number}")
    return [(on, ", ".join(figures), command) for (on, command), figures in rows.items()]
