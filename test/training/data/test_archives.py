"""Archives that a user names: damaged ones, others, and clips without frames are told in one line with their file."""

import pickle
import zipfile

import numpy as np
import pytest

from training.data.archives import read_arrays, read_clip
from training.data.coco import DataError
from training.data.face_mesh import load_head
from training.detector import correction_table
from training.landmarks import steadiness


def broken(path):
    """Files that are no archives, each with what it is."""
    yield "empty", path.write_bytes(b"")
    yield "text", path.write_bytes(b"hello")
    yield "pickled", path.write_bytes(pickle.dumps([1, 2]))
    np.savez(path, a=np.array([{}], object))
    yield "objects", None
    np.savez(path, a=np.arange(1000))
    yield "cut off", path.write_bytes(path.read_bytes()[:700])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY")
    yield "no array", None


def test_whatever_is_no_archive_is_told_with_its_file(tmp_path):
    path = tmp_path / "a.npz"
    for _ in broken(path):
        with pytest.raises(DataError) as error:
            read_arrays(path, "a mesh archive")
        assert str(error.value) == f"{path}: damaged or not a mesh archive"
        with pytest.raises(DataError, match="ICT FaceKit"):
            load_head(path)
    np.savez(path, a=np.arange(3), b=np.eye(2))
    assert read_arrays(path, "an archive").keys() == {"a", "b"}
    assert read_arrays(path, "an archive", ("b", "c")).keys() == {"b"}
    with pytest.raises(DataError, match="lacks the arrays expression, expression_names"):
        load_head(path)


@pytest.mark.parametrize(("arrays", "said"), [
    ({"x": np.zeros(3)}, "has no frames and times t"),
    ({"frames": np.zeros((2, 4, 4))}, "has no frames and times t"),
    ({"frames": np.zeros((2, 4, 4)), "t": np.zeros(3)}, "are no clip"),
    ({"frames": np.zeros((0, 4, 4)), "t": np.zeros(0)}, "are no clip"),
    ({"frames": np.zeros((4, 4)), "t": np.zeros(4)}, "are no clip"),
])
def test_a_clip_that_is_none_is_told_in_one_line(tmp_path, arrays, said, capsys):
    (tmp_path / "feverscreen").mkdir()
    path = tmp_path / "feverscreen" / "c.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=said):
        read_clip(path)
    assert steadiness.main(["--data", str(tmp_path), "--sheet", str(tmp_path / "s.png")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {path}") and said in error and not (tmp_path / "s.png").exists()


def test_a_clip_is_read(tmp_path):
    np.savez(tmp_path / "c.npz", frames=np.arange(24).reshape(2, 3, 4), t=np.array([0.0, 0.1]))
    frames, stamps = read_clip(tmp_path / "c.npz")
    assert frames.shape == (2, 3, 4) and stamps.tolist() == [0.0, 0.1]


@pytest.mark.parametrize("option", [["--dead", "nan"], ["--dead", "0.7"], ["--stripes", "-1"]])
def test_faults_that_no_sensor_has_are_refused_at_once(tmp_path, option, capsys):
    assert correction_table.main(["--root", str(tmp_path), *option]) == 1
    assert capsys.readouterr().err.startswith(f"error: {option[0]} ")
