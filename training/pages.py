"""Tables in pages: what a command writes stands between two marks, and what people wrote around them is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from thermal_kd_ros.output import written_aside
from training.data.coco import DataError
from training.outputs import check_place


def marks(name: str) -> tuple[str, str]:
    """The lines between which the table ``name`` stands."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def markdown(columns: Sequence[str], rows: dict[str, list[str]]) -> str:
    """A table of named rows; the first of ``columns`` heads the names."""
    lines = [columns, ["---"] * len(columns), *([name, *cells] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def mean_and_spread(values: Sequence[float], digits: int, sign: str = "") -> str:
    """``0.512 ± 0.013``: mean and sample standard deviation; one value stands alone, none gives an empty text.

    ``sign``: "+" shows the sign of the mean.
    """
    if not values:
        return ""
    mean = f"{np.mean(values):{sign}.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def around(name: str, page: Path) -> tuple[str, str]:
    """What stands up to the first mark of ``name`` and from the second on in a page, with these marks.

    Raises DataError if the page lacks them or cannot be read, and OSError if it could not be written. To be called
    before a long measurement too.
    """
    begin, end = marks(name)
    try:
        content = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{page} cannot be read: {getattr(error, 'strerror', None) or error}; give a page that has the "
                        f"lines '{begin}' and '{end}'") from None
    check_place(page)
    before, found, rest = content.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise DataError(f"{page}: has no lines '{begin}' and '{end}' between which the table belongs; put them there")
    return before + begin, end + after


def place(text: str, name: str, page: Path) -> None:
    """Put text between the marks of ``name`` in a page; raises DataError or OSError."""
    before, after = around(name, page)
    with written_aside(page) as aside:
        aside.write_text(f"{before}\n\n{text}\n\n{after}", encoding="utf-8")
