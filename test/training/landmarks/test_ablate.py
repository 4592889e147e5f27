"""The ablation's choices of rows and starts, what a row costs, and the mean faces that it must beat."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.checkpoint import read  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.data.head_cache import HeadCache  # noqa: E402
from training.data.rendered_faces import CropConfig, LandmarkCrops  # noqa: E402
from training.landmarks import ablate, bench  # noqa: E402
from training.landmarks.ablation_report import COLUMNS, COST, name_of, table  # noqa: E402
from training.landmarks.fit import build  # noqa: E402
from training.landmarks.teacher import PHOTOGRAPHS_LICENCE  # noqa: E402
from training.pages import marks  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture
def page(tmp_path):
    """A page with a place for the tables."""
    path = tmp_path / "page.md"
    path.write_text("\n".join(marks(name_of("scarce"))))
    return path


def rows_of(page):
    """Cells of each table row, by its name; of rows of the same name the last."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return {cells[0]: cells[1:] for cells in lines}


def test_constant_weights_are_for_some_or_for_all():
    assert [name for name in ablate.transfers() if "constant" in name] == ["FD+LD, constant", "DIKD, constant"]
    every = ablate.transfers(constant_all=True)
    assert [name for name in every if "constant" in name] == [f"{name}, constant" for name in ablate.WEIGHTS]
    for name, weights in ablate.WEIGHTS.items():
        constant, cosine = every[f"{name}, constant"], every[f"{name}, cosine"]
        assert constant["decay"].weight(1.0) == 1.0 and cosine["decay"].weight(1.0) == 0.0
        assert {key: constant[key] for key in weights} == weights


def test_every_choice_makes_its_rows_with_their_cost_and_the_mean_face(cache, photographs, page, tmp_path,
                                                                       monkeypatch):
    # Of those that neither stay constant nor have a student unless all do.
    monkeypatch.setattr(ablate, "WEIGHTS", {"FD": ablate.WEIGHTS["FD"]})
    budget = ablate.Budget(epochs=1, teacher_epochs=1, batch=5, seeds=1, variations=1, constant_all=True,
                           compress_all=True, from_scratch=True)
    ablate.ablate([cache], cache, photographs, tmp_path, tmp_path / "runs", page, budget, CPU)
    text, found = page.read_text(), rows_of(page.read_text())
    transfers = ["none", "FD, cosine", "FD, constant"]
    for method in (*transfers, "alone", *(f"from {name}" for name in transfers)):
        assert found[method][0] == "1", method
    assert "All networks start from nothing" in text and "start from its weights" not in text
    assert found[""][:4] == ["seeds", *COST]
    assert found["none"][1].endswith(" k") and found["none"][3] == "1.00" == found["alone"][3]
    assert float(found["FD, constant"][3]) > 0.0 and float(found["from none"][3]) > 0.0
    # The constant of the crops that the rows trained on, on the crops that they are measured on, point by point.
    trained, held = (LandmarkCrops(HeadCache([cache]), [], seed, CropConfig(size=64)) for seed in (0, 99))
    mean = np.mean([trained[i][1].astype(np.float16) for i in range(10)], axis=0, dtype=np.float64)
    errors = [100 * np.linalg.norm(mean - points, axis=1).mean() / np.linalg.norm(points[45] - points[36])
              for points in (held[i][1] for i in range(10))]
    assert float(found["mean face"][4]) == pytest.approx(np.mean(errors), abs=0.02)
    assert text.count("| mean face |") == 2


def test_a_network_from_scratch_has_nothing_of_the_teacher(cache, photographs, page, tmp_path, monkeypatch):
    monkeypatch.setattr(ablate, "WEIGHTS", {})
    monkeypatch.setattr(ablate, "UNDECAYED", ())
    starts, fit = [], ablate.fit

    def watched(settings, model, *rest):
        starts.append((settings, {key: value.clone() for key, value in model.state_dict().items()}))
        return fit(settings, model, *rest)

    monkeypatch.setattr(ablate, "fit", watched)
    for scratch in (True, False):
        budget = ablate.Budget(epochs=1, teacher_epochs=1, batch=5, seeds=1, variations=1, students=False,
                               from_scratch=scratch)
        output = tmp_path / f"runs-{scratch}"
        ablate.ablate([cache], cache, photographs, tmp_path, output, page, budget, CPU)
        settings, start = starts[-1]
        fresh = build(settings, CPU).state_dict()
        same = all(torch.equal(value, fresh[key]) for key, value in start.items())
        assert same is scratch and settings.from_teacher is not scratch
        card = read(output / "transfer-none-0" / "transfer.safetensors")[0]
        assert (PHOTOGRAPHS_LICENCE in card.data) is not scratch


def test_a_folder_keeps_to_its_choices(cache, photographs, page, tmp_path, monkeypatch, capsys):
    pairs, held_out, real, output = (tmp_path / name for name in ("pairs", "held-out", "real", "output"))
    arguments = ["--pairs", str(pairs), "--held-out", str(held_out), "--photographs", str(photographs), "--real",
                 str(real), "--output", str(output), "--report", str(page), "--device", "cpu"]

    def begin(*more):
        assert ablate.main([*arguments, *more]) == 1
        return capsys.readouterr().err

    assert "real: there is no such folder" in begin()
    real.mkdir()
    assert "pairs is missing" in begin()

    def caches(warmer):
        with np.load(cache) as archive:
            columns = dict(archive)
        for path in (pairs, held_out):
            with open(path, "wb") as file:
                np.savez(file, **columns | {"patches": columns["patches"] + np.uint16(warmer)})

    caches(0)
    (photographs / "landmarks68.json").rename(tmp_path / "aside.json")
    assert "landmarks68.json is missing" in begin()
    # What was refused leaves the folder to other choices.
    assert not output.exists()
    (tmp_path / "aside.json").rename(photographs / "landmarks68.json")

    def enough(*arguments):
        raise DataError("begun")

    monkeypatch.setattr(ablate, "make_pool", enough)
    assert "begun" in begin()
    caches(1)  # others under the same names
    assert "holds runs with other held-out, pairs: give another --output" in begin()
    caches(0)
    for option, said in (("--from-scratch", "from scratch"), ("--constant-all", "constant weights for all"),
                         ("--compress-all", "students of all")):
        assert f"holds runs with other {said}: give another --output" in begin(option)
    # Of a folder from before these options all are off.
    path = output / "shared.json"
    shared = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in shared.items() if value is not False}))
    assert "begun" in begin()
    with pytest.raises(DataError, match="other constant weights for all, students of all: give"):
        bench.claim(output, {**shared, "students of all": True, "constant weights for all": True})


def test_times_are_told_where_they_were_measured():
    figures = {on: {figure: 1.0 for _, figure, _ in COLUMNS} for on, _, _ in COLUMNS}

    def row(method, seed, seconds):
        return {"stage": "transfer", "method": method, "seed": seed, "on": figures,
                **({} if seconds is None else {"seconds": seconds})}

    rows = [row("none", 0, 10.0), row("DIKD", 0, 15.0), row("FD", 0, None), row("none", 1, 20.0), row("DIKD", 1, 50.0),
            row("LD", 2, 10.0)]
    network = {"parameters": 114_000, "mflops": 9.1}
    constant = {on: dict.fromkeys(values, 37.0) for on, values in figures.items()}
    found = rows_of(table(rows, "transfer", network, {"mean face": constant}))
    assert found["DIKD"][:4] == ["2", "114 k", "9.1", "2.00 ± 0.71"]
    assert found["none"][3] == "1.00 ± 0.00" and found["FD"][3] == "" and found["LD"][3] == ""
    assert found["mean face"][:5] == ["-", "", "", "", "37.00"]
    assert len({len(cells) for cells in found.values()}) == 1
    assert "parameters" not in table(rows, "transfer")


def test_a_run_that_goes_on_tells_no_time(cache, tmp_path):
    plain = bench.Bench(tmp_path, [], (np.zeros(0), np.zeros(0)), tmp_path, bench.Effort(), CPU)
    model = tmp_path / "m.safetensors"
    measured = type("Measured", (bench.Bench,), {"measure": lambda self, path: {}})(**plain.__dict__)
    measured.row("transfer", "none", 0, lambda: model, tmp_path / "state.pt")
    (tmp_path / "state.pt").touch()
    measured.row("transfer", "none", 1, lambda: model, tmp_path / "state.pt")
    first, second = measured.rows()
    assert first["seconds"] >= 0 and second["seconds"] is None
    assert measured.done("transfer", "none", 1) and not measured.done("transfer", "none", 2)
