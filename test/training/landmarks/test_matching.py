"""Networks that cannot do what they are named for are told in a sentence, before any work."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.faces import CROP_MARGIN  # noqa: E402
from thermal_kd_ros.models.card import ModelCard  # noqa: E402
from thermal_kd_ros.models.checkpoint import write  # noqa: E402
from thermal_kd_ros.models.landmarker import Landmarker  # noqa: E402
from thermal_kd_ros.models.specs import LandmarkerSpec  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.data.paired_crops import PairConfig  # noqa: E402
from training.data.rendered_faces import CropConfig  # noqa: E402
from training.landmarks import calibrate, compress, evaluate, transfer  # noqa: E402
from training.landmarks.fit import run  # noqa: E402
from training.landmarks.matching import check_network  # noqa: E402

TINY = LandmarkerSpec(size=32, widths=(8, 8, 8), depths=(1, 1, 1))
CPU = torch.device("cpu")
OTHERS = {
    "68 points (ibug68), ": ({"points": 68}, "ibug68"),
    "54 points (ibug68), ": ({}, "ibug68"),
    "2 channels": ({"channels": 2}, "sf_tl54"),
}
"""What is wrong, to the values and the layout of a network."""
SIZE, COLOUR, GREY = ({"size": 48}, "sf_tl54"), ({"channels": 3}, "sf_tl54"), ({}, "sf_tl54")


def written(folder, layout="sf_tl54", **values):
    """A model file of an untrained network."""
    spec = dataclasses.replace(TINY, **values)
    card = ModelCard("other", "landmarks", spec.to_dict(), spec.size, spec.size, layout=layout,
                     normalisation={"crop_margin": CROP_MARGIN})
    path = folder / "other.safetensors"
    write(path, card, {key: value.numpy() for key, value in Landmarker(spec).state_dict().items()})
    return path


def told(capsys):
    """The one line that a command said."""
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def student(**values):
    return compress.CompressSettings(spec=TINY, crops=CropConfig(size=32), epochs=1, batch=5, **values)


def thermal(**values):
    return transfer.TransferSettings(spec=TINY, crops=PairConfig(size=32), epochs=1, batch=5, **values)


@pytest.mark.parametrize("given", [*OTHERS, "48 x 48", "visible light"])
def test_compression_takes_thermal_networks_of_the_students_input(given, cache, tmp_path, capsys):
    values, layout = {**OTHERS, "48 x 48": SIZE, "visible light": COLOUR}[given]
    path = written(tmp_path, layout, **values)
    assert run(lambda: compress.train(student(), [cache], str(path), tmp_path / "out", None, CPU, 0)) == 1
    error = told(capsys)
    assert str(path) in error and given in error.split(", and compression needs")[0]
    assert "needs one of 54 points (sf_tl54), 1 channel (thermal) and an input of 32 x 32 pixels" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("given", [*OTHERS, "48 x 48", "1 channel (thermal)"])
def test_transfer_takes_visible_light_teachers_of_its_input(given, cache, tmp_path, capsys):
    values, layout = {**OTHERS, "48 x 48": SIZE, "1 channel (thermal)": GREY}[given]
    path = written(tmp_path, layout, **{"channels": 3, **values} if "thermal" not in given else values)
    assert run(lambda: transfer.train(thermal(), [cache], str(path), tmp_path / "out", None, CPU, 0)) == 1
    error = told(capsys)
    assert str(path) in error and given in error.split(", and transfer needs")[0]
    assert "needs one of 54 points (sf_tl54), 3 channels (visible light) and an input of 32 x 32 pixels" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("given", [*OTHERS, "visible light"])
def test_measuring_and_calibrating_take_thermal_networks_of_any_input(given, cache, tmp_path, capsys):
    values, layout = {**OTHERS, "visible light": COLOUR}[given]
    path = written(tmp_path, layout, **values)
    before = path.read_bytes()
    arguments = ((evaluate, "--data", tmp_path), (evaluate, "--tfw", tmp_path), (calibrate, "--heads", cache),
                 (evaluate, "--data", tmp_path, "--box-errors", tmp_path / "curve.png"))
    for command, *more in arguments:
        assert command.main([str(path), *map(str, more)]) == 1
        error = told(capsys)
        assert str(path) in error and given in error.split(", and measuring")[0]
        assert error.endswith("needs one of 54 points (sf_tl54), 1 channel (thermal)\n")
    assert path.read_bytes() == before
    # A size of its own is no reason.
    evaluate.load(str(written(tmp_path, size=48)))


def test_ready_crops_must_be_the_networks_input(tmp_path):
    points = np.random.default_rng(0).uniform(5, 27, (2, 54, 2)).astype(np.float32)
    path = str(written(tmp_path, channels=3))
    assert evaluate.predict_crops(path, np.zeros((2, 3, 32, 32), np.float32), points).points.shape == (2, 54, 2)
    for shape in ((2, 1, 32, 32), (2, 3, 48, 48)):
        with pytest.raises(DataError, match="needs one of"):
            evaluate.predict_crops(path, np.zeros(shape, np.float32), points)


def test_calibration_needs_heads_to_fit_to_and_heads_to_measure_on(cache, tmp_path, capsys):
    with np.load(cache) as archive:
        np.savez(tmp_path / "one.npz", **{name: archive[name][:1] for name in archive.files})
    path = written(tmp_path)
    before = path.read_bytes()
    assert calibrate.main([str(path), "--heads", str(tmp_path / "one.npz")]) == 1
    assert "1 heads are too few" in told(capsys) and path.read_bytes() == before


def test_a_network_that_fits_passes(tmp_path):
    card = ModelCard("a", "landmarks", TINY.to_dict(), 32, 32, layout="sf_tl54")
    check_network("a", card, TINY, "this")
    check_network("a", card, TINY, "this", size=32)
    check_network("a", card, dataclasses.replace(TINY, channels=3, widths=(16, 8, 8)), "this", channels=3)
