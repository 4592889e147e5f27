"""Places that a result cannot be written to are found before the work."""

from pathlib import Path

import pytest

from training.outputs import check_picture, check_place


def test_a_place_is_made_and_tried_without_leaving_a_file(tmp_path):
    check_place(tmp_path / "new" / "figures.npz")
    assert (tmp_path / "new").is_dir() and not list((tmp_path / "new").iterdir())
    with pytest.raises(OSError, match="is a folder"):
        check_place(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        check_place(tmp_path / "file" / "figures.npz")
    # By the name that was given, not by that of a temporary file.
    with pytest.raises(OSError) as error:
        check_place(Path("/proc/figures.npz"))
    assert error.value.filename == "/proc/figures.npz"


@pytest.mark.parametrize("name", ["curve", "curve.docx"])
def test_pictures_need_a_known_ending(tmp_path, name):
    check_picture(tmp_path / "curve.png")
    with pytest.raises(OSError, match=r"ends in \.png"):
        check_picture(tmp_path / name)
