"""The figures of the shipped landmark models in RESULTS.md are those of their cards."""

from thermal_kd_ros.models.checkpoint import WEIGHTS_FOLDER, read_card

SETS = ("driver_faces people 1_*, labelled boxes", "driver_faces people 1_*, detected boxes",
        "driver_faces people 2_*, labelled boxes", "driver_faces people 2_*, detected boxes",
        "sf_tl54_sample, 2 frames")


def promised(model: str, metric: str) -> list[float]:
    """A card's figures on all sets."""
    metrics = read_card(WEIGHTS_FOLDER / f"{model}.safetensors").metrics
    return [next(entry["value"] for entry in metrics if (entry["metric"], entry["on"]) == (metric, on)) for on in SETS]


def cells(page: str, name: str) -> list[str]:
    """The cells of the last table row of that name."""
    row = next(line for line in reversed(page.splitlines()) if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in row.strip("|").split("|")[1:]]


def test_the_tables_hold_the_figures_of_the_cards(repository):
    page = (repository / "training" / "landmarks" / "RESULTS.md").read_text()
    nme, failures = (promised("landmarks_light", metric) for metric in ("nme_percent", "failure_rate_8_percent"))
    assert cells(page, "now, NME %") == [f"{value:.2f}" for value in nme]
    assert [float(cell) for cell in cells(page, "now, FR@8 %")] == [round(value, 1) for value in failures]
    student = page.partition("## The tiny student")[2].partition("\n## ")[0]
    for model in ("landmarks_light", "landmarks_tiny"):
        figures = zip(promised(model, "nme_percent"), promised(model, "failure_rate_8_percent"), strict=True)
        assert cells(student, f"`{model}`")[2:] == [f"{value:.2f}, {part:.1f}" for value, part in figures]
