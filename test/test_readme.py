"""The README says what the code and the model files say."""

from pathlib import Path

from thermal_kd_ros.cli.models import markdown
from thermal_kd_ros.models.checkpoint import read_card, shipped


def test_the_models_in_the_readme_are_the_shipped_ones(repository):
    readme = (repository / "README.md").read_text()
    section = readme.partition("<!-- models: begin -->")[2].partition("<!-- models: end -->")[0]
    assert section.strip() == markdown([read_card(path) for path in shipped()])


def test_the_pictures_in_the_readme_exist(repository):
    readme = (repository / "README.md").read_text()
    pictures = [part.partition(")")[0] for part in readme.split("](")[1:] if ".png)" in part[:200]]
    assert pictures
    for picture in pictures:
        assert (repository / picture).is_file(), picture


def test_every_reason_for_a_dropped_frame_is_explained(repository: Path) -> None:
    from thermal_kd_ros.nodes.statistics import DROP_REASONS

    page = (repository / "docs" / "outputs.md").read_text(encoding="utf-8")
    assert all(f"| {reason} | " in page for reason in DROP_REASONS)
