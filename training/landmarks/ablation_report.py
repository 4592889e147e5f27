"""The ablation's rows as a Markdown table between two marks of a page; what stands around them is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.pages import markdown, mean_and_spread, place

SETS = (("rendered", "rendered, held-out subjects"), ("real", "real, people 2_*"), ("sf_tl54", "sf_tl54, 2 frames"))
FIGURES = (("nme_percent", "NME %"), ("failure_rate_8_percent", "FR@8 %"), ("auc_8_percent", "AUC@8 %"))
COLUMNS = [(on, figure, f"{shown}, {name}") for on, name in SETS for figure, shown in FIGURES
           if on != "sf_tl54" or figure == "nme_percent"]
"""Set, figure and head of each column; two frames have no rates."""
COST = ("parameters", "MFLOPs", "training time, of the first")
"""Heads of what a row costs: the network at run time, and its training over that of the table's first method."""


def table(rows: list[dict[str, Any]], stage: str, network: dict[str, Any] | None = None,
          mean_faces: dict[str, dict[str, dict[str, float]]] | None = None) -> str:
    """One stage as a Markdown table; a line per method, in the order of the first seed, after those of mean faces.

    Args:
        rows: the finished runs.
        stage: which of them.
        network: ``parameters`` and ``mflops`` of what the stage trains; without it the table tells no cost.
        mean_faces: name of each constant to its figures by set.
    """
    mine = [row for row in rows if row["stage"] == stage]
    cells: dict[str, list[str]] = {}
    for name, found in (mean_faces or {}).items():
        cells[name] = ["-", *([""] * (3 if network else 0)), *_figures([found])]
    for method in dict.fromkeys(row["method"] for row in mine):
        runs = [row for row in mine if row["method"] == method]
        cost = [f"{network['parameters'] / 1e3:.0f} k", f"{network['mflops']:.1f}",
                mean_and_spread(_times(runs, mine), 2)] if network else []
        cells[method] = [str(len(runs)), *cost, *_figures([row["on"] for row in runs])]
    return markdown(["", "seeds", *(COST if network else ()), *(head for _, _, head in COLUMNS)], cells)


def _figures(found: list[dict[str, dict[str, float]]]) -> list[str]:
    return [mean_and_spread([sets[on][figure] for sets in found if on in sets], 2) for on, figure, _ in COLUMNS]


def _times(runs: list[dict[str, Any]], stage: list[dict[str, Any]]) -> list[float]:
    """Training times over that of the stage's first method with the same seed; none where either was not measured."""
    first = {row["seed"]: row.get("seconds") for row in reversed(stage) if row["method"] == stage[0]["method"]}
    return [row["seconds"] / first[row["seed"]] for row in runs if row.get("seconds") and first.get(row["seed"])]


def name_of(title: str) -> str:
    """The name, in the page, of the tables of the ablation ``title``."""
    return f"ablation {title}"


def write_report(path: Path, title: str, rows: list[dict[str, Any]], facts: dict[str, Any], budget: Any) -> None:
    """Put the tables between the marks of ``name_of(title)`` in the page ``path``."""
    networks, means = facts["networks"], facts.get("mean_faces", {})
    size = {name: f"{values['parameters'] / 1e3:.0f} k parameters, {values['mflops']:.1f} MFLOPs"
            for name, values in networks.items()}
    students = ("" if not budget.students else "### Compression (MCL): the light student, "
                f"{size['student']}\n\n{table(rows, 'student', networks['student'], means)}\n")
    start = ("Thermal networks start from its weights, students from nothing. The epochs' order is all that a\n"
             "seed changes in the former." if not budget.from_scratch else
             "Its encoder is MobileNetV2's up to stride 16 and started from ImageNet's weights, as the thermal\n"
             "networks' does; students start from nothing." if budget.imagenet else "All networks start from nothing.")
    body = f"""Budget of a row: {budget.epochs} epochs of {facts['pairs']} rendered pairs, {budget.variations} crops of
each, batch {budget.batch}, 64 pixels.
The teacher (one for all rows, {budget.teacher_epochs} epochs of {facts['teacher_pairs']} rendered faces and a quarter
as many crops of photographs) has an NME of {facts['teacher_nme']:.2f} % on {facts['photographs']} photographs of people
that it did not see. {start} Rendered: {facts['held_out']} held-out subjects, turned by at most
{facts['turned']:.0f} degrees; real: every {budget.every}th frame of driver_faces 2_*, whose labels are a network's
output. Mean ± standard deviation over seeds. A mean face is one constant put into every crop: rows that are no
better have learnt nothing.

### Transfer (KTL): the thermal network, {size['thermal']}

{table(rows, 'transfer', networks['thermal'], means)}

{students}"""
    place(body.rstrip(), name_of(title), path)
