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


def table(rows: list[dict[str, Any]], stage: str) -> str:
    """One stage as a Markdown table; a line per method, in the order of the first seed."""
    methods = list(dict.fromkeys(row["method"] for row in rows if row["stage"] == stage))
    cells: dict[str, list[str]] = {}
    for method in methods:
        mine = [row["on"] for row in rows if (row["stage"], row["method"]) == (stage, method)]
        cells[method] = [str(len(mine)), *(mean_and_spread([found[on][figure] for found in mine if on in found], 2)
                                           for on, figure, _ in COLUMNS)]
    return markdown(["", "seeds", *(head for _, _, head in COLUMNS)], cells)


def name_of(title: str) -> str:
    """The name, in the page, of the tables of the ablation ``title``."""
    return f"ablation {title}"


def write_report(path: Path, title: str, rows: list[dict[str, Any]], facts: dict[str, Any], budget: Any) -> None:
    """Put the tables between the marks of ``name_of(title)`` in the page ``path``."""
    networks = facts["networks"]
    size = {name: f"{values['parameters'] / 1e3:.0f} k parameters, {values['mflops']:.1f} MFLOPs"
            for name, values in networks.items()}
    students = ("" if not budget.students else "### Compression (MCL): the light student, "
                f"{size['student']}\n\n{table(rows, 'student')}\n")
    body = f"""Budget of a row: {budget.epochs} epochs of {facts['pairs']} rendered pairs, {budget.variations} crops of
each, batch {budget.batch}, 64 pixels.
The teacher (one for all rows, {budget.teacher_epochs} epochs of {facts['teacher_pairs']} rendered faces and a quarter
as many crops of photographs) has an NME of {facts['teacher_nme']:.2f} % on {facts['photographs']} photographs of people
that it did not see. Thermal networks start from its weights, students from nothing. The epochs' order is all that a
seed changes in the former. Rendered: {facts['held_out']} held-out subjects, turned by at most
{facts['turned']:.0f} degrees; real: every {budget.every}th frame of driver_faces 2_*, whose labels are a network's
output. Mean ± standard deviation over seeds.

### Transfer (KTL): the thermal network, {size['thermal']}

{table(rows, 'transfer')}

{students}"""
    place(body.rstrip(), name_of(title), path)
