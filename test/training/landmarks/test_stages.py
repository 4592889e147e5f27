"""The stages of landmark distillation on tiny caches: teacher, transfer, compression, ablation."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.card import ModelError  # noqa: E402
from thermal_kd_ros.models.checkpoint import read, write  # noqa: E402
from thermal_kd_ros.models.specs import LandmarkerSpec  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.data.head_cache import HeadCache  # noqa: E402
from training.data.paired_crops import PairConfig, PairedCrops  # noqa: E402
from training.data.rendered_faces import CropConfig, LandmarkCrops  # noqa: E402
from training.landmarks import ablate, compress, teacher, train, transfer  # noqa: E402
from training.landmarks.ablation_report import name_of, write_report  # noqa: E402
from training.landmarks.fit import BACKGROUNDS_LICENCE, HEADS_LICENCE, Sources, build, load_network, run  # noqa: E402
from training.losses.schedules import DecaySchedule  # noqa: E402
from training.pages import marks, mean_and_spread  # noqa: E402

CPU = torch.device("cpu")
TINY = LandmarkerSpec(size=32, widths=(8, 8, 8), depths=(1, 1, 1))


def settings(kind, crops, **values):
    return kind(spec=TINY, crops=crops(size=32), epochs=2, batch=5, warmup_steps=1, **values)


@pytest.fixture(scope="module")
def taught(cache, photographs, tmp_path_factory):
    chosen = settings(teacher.TeacherSettings, PairConfig)
    chosen = teacher.TeacherSettings(**{**chosen.__dict__, "spec": LandmarkerSpec(**{**TINY.__dict__, "channels": 3})})
    return teacher.train(chosen, [cache], photographs, tmp_path_factory.mktemp("teacher"), CPU, 0)


def weights(path):
    return read(path)[1]


def test_thermal_halves_of_pairs_are_the_crops_of_training_without_pairs(cache):
    heads = HeadCache([cache], visible_light=True)
    pairs, plain = PairedCrops(heads, [], 3, PairConfig(size=32)), LandmarkCrops(heads, [], 3, CropConfig(size=32))
    pairs.epoch = plain.epoch = 2
    for i in (0, 7):
        values, points, seen, seen_points = pairs[i]
        np.testing.assert_array_equal(values, plain[i][0])
        np.testing.assert_array_equal(points, plain[i][1])
        assert seen.shape == (3, 32, 32) and seen.dtype == np.float32 and 0 <= seen.min() and seen.max() <= 1
        assert not np.array_equal(points, seen_points)


def test_pairs_without_misregistration_have_the_same_points(cache):
    heads = HeadCache([cache], visible_light=True)
    pairs = PairedCrops(heads, [], 0, PairConfig(size=64, misregistration=0.0))
    for i in range(4):
        _, points, _, seen_points = pairs[i]
        np.testing.assert_allclose(points, seen_points, atol=1e-3)
    shifted = PairedCrops(heads, [], 0, PairConfig(size=64, misregistration=0.03))
    errors = np.array([np.linalg.norm(shifted[i][1] - shifted[i][3], axis=1).mean() for i in range(10)])
    assert 0.5 < errors.mean() < 6.0


def test_transfer_without_weights_is_plain_training_bit_for_bit(cache, taught, tmp_path):
    plain = train.train(settings(train.PlainSettings, CropConfig, name="same"), [cache], tmp_path / "plain", None, CPU,
                        0)
    zero = {"forward": 0.0, "reverse": 0.0}
    path = transfer.train(settings(transfer.TransferSettings, PairConfig, name="same", **zero), [cache], str(taught),
                          tmp_path / "transfer", None, CPU, 0)
    other = transfer.train(settings(transfer.TransferSettings, PairConfig, name="same"), [cache], str(taught),
                           tmp_path / "dikd", None, CPU, 0)
    for key, value in weights(plain).items():
        np.testing.assert_array_equal(value, weights(path)[key], err_msg=key)
    assert any(not np.array_equal(value, weights(other)[key]) for key, value in weights(plain).items())


def test_a_teachers_file_and_network_are_the_same_after_a_transfer(cache, taught, tmp_path):
    before = weights(taught)
    chosen = settings(transfer.TransferSettings, PairConfig, features=1.0, predictions=1.0, target="teacher",
                      injection="mix", bridge=True, decay=DecaySchedule("constant"))
    network = transfer.load_teacher(chosen, str(taught), CPU)
    objective = transfer.Transfer(chosen, network)
    crops = PairedCrops(HeadCache([cache], visible_light=True), [], 0, chosen.crops)
    transfer.fit(chosen, transfer.build(chosen, CPU), crops, objective, tmp_path, CPU, 0, Sources())
    for key, value in network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key], err_msg=key)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(line[term]) for line in log for term in ("forward", "reverse", "features", "predictions"))


@pytest.mark.parametrize("term", ["forward", "reverse"])
def test_sigma_tells_of_the_error_to_the_truth_whatever_the_target(cache, taught, term):
    """Injection adds to sigma's gradient where the goal is the truth, and nothing where it is the teacher's guess."""
    nothing = dict.fromkeys(("features", "predictions", "forward", "reverse"), 0.0)
    gradients = {}
    for name, values in (("none", {}), ("truth", {term: 1.0}), ("teacher", {term: 1.0, "target": "teacher"})):
        chosen = settings(transfer.TransferSettings, PairConfig, decay=DecaySchedule("constant"),
                          **{**nothing, **values})
        network = transfer.load_teacher(chosen, str(taught), CPU)
        model = transfer.build(chosen, CPU).train()
        crops = PairedCrops(HeadCache([cache], visible_light=True), [], 0, chosen.crops)
        batch = [torch.from_numpy(np.stack(column)) for column in zip(*(crops[i] for i in range(4)), strict=True)]
        loss, terms = transfer.Transfer(chosen, network)(model, batch, 0.0)
        assert set(values) - {"target"} <= set(terms)
        loss.backward()
        gradients[name] = {key: value.grad.clone() for key, value in model.named_parameters() if "spread" in key}
    assert gradients["none"]
    for key, plain in gradients["none"].items():
        torch.testing.assert_close(gradients["teacher"][key], plain)
        # The frozen head's own sigma is the visible network's: reverse injection never reaches this network's.
        assert torch.allclose(gradients["truth"][key], plain) is (term == "reverse")


def test_a_killed_stage_goes_on_to_the_same_weights(cache, taught, tmp_path, monkeypatch):
    chosen = settings(compress.CompressSettings, CropConfig)
    whole = compress.train(chosen, [cache], str(taught_thermal(cache, taught, tmp_path)), tmp_path / "whole", None, CPU,
                           0)
    calls = []
    save = compress.fit.__globals__["save_state"]

    def stop_after_the_first(path, state):
        save(path, state)
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setitem(compress.fit.__globals__, "save_state", stop_after_the_first)
    arguments = (chosen, [cache], str(tmp_path / "thermal" / "landmarks_transfer.safetensors"), tmp_path / "cut", None,
                 CPU, 0)
    with pytest.raises(KeyboardInterrupt):
        compress.train(*arguments)
    again = compress.train(*arguments)
    for key, value in weights(whole).items():
        np.testing.assert_array_equal(value, weights(again)[key], err_msg=key)


def test_a_run_that_dies_on_its_last_model_file_writes_it_when_it_goes_on(cache, tmp_path):
    chosen = train.PlainSettings(spec=TINY, crops=CropConfig(size=32), epochs=1, batch=5)
    straight = train.train(chosen, [cache], tmp_path / "straight", None, CPU, 0)
    # A folder in the model file's place: it cannot be written.
    blocked = tmp_path / "run" / straight.name
    blocked.mkdir(parents=True)
    with pytest.raises(OSError):
        train.train(chosen, [cache], tmp_path / "run", None, CPU, 0)
    blocked.rmdir()
    assert train.train(chosen, [cache], tmp_path / "run", None, CPU, 0) == blocked
    for key, value in weights(straight).items():
        np.testing.assert_array_equal(value, weights(blocked)[key], err_msg=key)


def test_a_run_that_is_done_writes_its_model_again(cache, tmp_path):
    chosen = train.PlainSettings(spec=TINY, crops=CropConfig(size=32), epochs=1, batch=5)
    path = train.train(chosen, [cache], tmp_path, None, CPU, 0)
    whole = path.read_bytes()
    path.unlink()
    assert train.train(chosen, [cache], tmp_path, None, CPU, 0).read_bytes() == whole


def test_a_run_starts_from_weights_and_not_from_a_name(cache, tmp_path):
    plain = settings(train.PlainSettings, CropConfig)
    first = train.train(plain, [cache], tmp_path / "first", None, CPU, 0)
    named = tmp_path / "named.safetensors"
    named.write_bytes(first.read_bytes())
    train.train(dataclasses.replace(plain, start=str(first)), [cache], tmp_path / "on", None, CPU, 0)
    train.train(dataclasses.replace(plain, start=str(named)), [cache], tmp_path / "on", None, CPU, 0)  # the same
    card, found = read(first)
    write(named, card, {key: value + 1 for key, value in found.items()})
    with pytest.raises(DataError, match="other start;"):
        train.train(dataclasses.replace(plain, start=str(named)), [cache], tmp_path / "on", None, CPU, 0)


def test_a_damaged_state_or_cache_is_said_in_one_line(cache, tmp_path, capsys):
    (tmp_path / "state.pt").write_text("junk")
    chosen = settings(train.PlainSettings, CropConfig)
    assert run(lambda: train.train(chosen, [cache], tmp_path, None, CPU, 0)) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'state.pt'}: damaged; delete it to begin anew\n"
    content = cache.read_bytes()
    np.save(tmp_path / "array.npy", np.zeros(3))
    cv2.imwrite(str(tmp_path / "picture.png"), np.zeros((4, 4), np.uint8))
    for name, damaged in (("short.npz", content[: len(content) // 2]), ("empty.npz", b""), ("text.png", b"words"),
                          ("array.npy", None), ("picture.png", None),
                          ("flipped.npz", content[:5000] + b"\xff" * 9000 + content[14000:])):
        if damaged is not None:
            (tmp_path / name).write_bytes(damaged)
        assert command(train, tmp_path / name, tmp_path / "out") == 1
        assert capsys.readouterr().err == (
            f"error: {tmp_path / name}: damaged or not a cache of heads; render it again\n")


def test_a_full_disk_is_said_in_one_line(cache, tmp_path, capsys, little_room):
    chosen = settings(train.PlainSettings, CropConfig)
    with little_room():
        assert run(lambda: train.train(chosen, [cache], tmp_path, None, CPU, 0)) == 1
    assert f"error: [Errno 27] File too large: '{tmp_path}" in capsys.readouterr().err


def command(kind, cache, output, *more):
    """A stage by its command line, as small as it can be had there."""
    heads = "--pairs" if kind in (teacher, transfer) else "--heads"
    return kind.main([heads, str(cache), "--output", str(output), "--device", "cpu", "--workers", "0", "--epochs", "1",
                      *map(str, more)])


def test_real_faces_terms_follow_their_model_to_what_starts_from_it_or_learns_from_it(cache, drivers, tmp_path):
    chosen = settings(train.PlainSettings, CropConfig, adapt="driver")
    path = train.train(chosen, [cache], tmp_path / "adapted", None, CPU, 0, [drivers])
    adapted = read(path)[0]
    assert adapted.licence == "research only" and "driver_faces" in adapted.data[-1]
    started = settings(train.PlainSettings, CropConfig, start=str(path))
    card = read(train.train(started, [cache], tmp_path / "started", None, CPU, 0))[0]
    assert (card.licence, card.data) == (adapted.licence, adapted.data)
    student = settings(compress.CompressSettings, CropConfig)
    card = read(compress.train(student, [cache], str(path), tmp_path / "student", None, CPU, 0))[0]
    assert (card.licence, card.data) == (adapted.licence, adapted.data)


def drone_images(data):
    """The empty folder of backgrounds in a data folder."""
    folder = data / "hit_uav" / "train"
    folder.mkdir(parents=True)
    return folder


def test_a_card_names_the_backgrounds_that_were_there(cache, tmp_path, capsys):
    assert command(train, cache, tmp_path / "out", "--data", tmp_path) == 1
    assert f"error: {tmp_path} has no backgrounds hit_uav/train/*.jpg" in capsys.readouterr().err
    cv2.imwrite(str(drone_images(tmp_path) / "0.jpg"), np.full((512, 640), 90, np.uint8))
    chosen = settings(train.PlainSettings, CropConfig)
    for data, named in ((None, [HEADS_LICENCE]), (tmp_path, [HEADS_LICENCE, BACKGROUNDS_LICENCE])):
        path = train.train(chosen, [cache], tmp_path / f"run{len(named)}", data, CPU, 0)
        assert list(read(path)[0].data) == named


def test_a_transfer_names_its_teachers_photographs(cache, taught, tmp_path):
    card = read(taught_thermal(cache, taught, tmp_path))[0]
    assert card.licence == "Apache-2.0" and card.data[0] == HEADS_LICENCE
    # What the points of the heads were moved by was measured on these, whatever else a card names.
    assert "offsets measured on the labels of driver_faces" in HEADS_LICENCE and "research use only" in HEADS_LICENCE
    assert teacher.PHOTOGRAPHS_LICENCE in card.data and len(set(card.data)) == len(card.data)


def test_a_run_does_not_go_on_with_other_sources(cache, taught, drivers, tmp_path):
    other = tmp_path / "other.npz"
    other.write_bytes(cache.read_bytes())
    plain = settings(train.PlainSettings, CropConfig, adapt="driver")
    train.train(plain, [cache], tmp_path / "plain", None, CPU, 0, [drivers])
    (tmp_path / "moved").symlink_to(drivers)
    train.train(plain, [cache], tmp_path / "plain", None, CPU, 0, [tmp_path / "moved"])  # the same folder
    cv2.imwrite(str(drone_images(tmp_path) / "0.jpg"), np.full((512, 640), 90, np.uint8))
    (tmp_path / "copied").mkdir()
    (tmp_path / "copied" / "1_Man").symlink_to(drivers / "1_Man_NoGlasses_Normal")
    for heads, data, real, said in (([other], None, drivers, "other --heads;"),
                                    ([cache], tmp_path, drivers, "other --data;"),
                                    ([other], None, tmp_path / "copied", "other --adapt, --heads;")):
        with pytest.raises(DataError, match=f"state.pt belongs to a run with {said} give another --output"):
            train.train(plain, heads, tmp_path / "plain", data, CPU, 0, [real])
    for change, said in ((1, "other --heads, content of --heads;"), (0, "other --heads;")):
        with np.load(cache) as archive:
            arrays = dict(archive)
        arrays["ambient"] = arrays["ambient"] + change
        np.savez(other, **arrays)
        with pytest.raises(DataError, match=said):
            train.train(plain, [other], tmp_path / "plain", None, CPU, 0, [drivers])
    with pytest.raises(DataError, match="other adapt, epochs;"):
        longer = dataclasses.replace(plain, epochs=3, adapt="")
        train.train(longer, [cache], tmp_path / "plain", None, CPU, 0, [drivers])

    student = settings(compress.CompressSettings, CropConfig)
    thermal = taught_thermal(cache, taught, tmp_path)
    compress.train(student, [cache], str(thermal), tmp_path / "student", None, CPU, 0)
    (tmp_path / "same.safetensors").write_bytes(thermal.read_bytes())
    compress.train(student, [cache], str(tmp_path / "same.safetensors"), tmp_path / "student", None, CPU, 0)
    card, found = read(thermal)
    write(tmp_path / "same.safetensors", card, {key: value + 1 for key, value in found.items()})
    with pytest.raises(DataError, match="other --teacher;"):
        compress.train(student, [cache], str(tmp_path / "same.safetensors"), tmp_path / "student", None, CPU, 0)
    moved = settings(transfer.TransferSettings, PairConfig)
    with pytest.raises(DataError, match="other --pairs;"):
        transfer.train(moved, [other], str(taught), tmp_path / "thermal", None, CPU, 0)


@pytest.mark.parametrize("kind", [train, teacher, transfer, compress])
def test_options_that_cannot_be_are_told_before_the_work(kind, cache, taught, tmp_path, capsys):
    more = ("--teacher", taught) if kind in (transfer, compress) else ()
    for wrong, said in ((("--epochs", "0"), "--epochs 0"), (("--device", "gpu"), "--device gpu cannot be used here"),
                        (("--threads", "-2"), "--threads -2"), (("--lr", "0"), "--lr 0"),
                        (("--seed", "-1"), "--seed -1: give")):
        assert command(kind, cache, tmp_path / "out", *more, *wrong) == 1
        streams = capsys.readouterr()
        assert said in streams.err and streams.err.startswith("error: ") and streams.err.count("\n") == 1
        assert "model:" not in streams.out and not (tmp_path / "out").exists()


def test_the_ablation_tells_a_wrong_device_or_budget_before_the_work(tmp_path, capsys):
    arguments = [part for name in ("pairs", "held-out", "photographs", "real", "output", "report")
                 for part in (f"--{name}", str(tmp_path / name))]
    for wrong, said in ((["--device", "gpu"], "--device gpu"), (["--epochs", "0"], "epochs 0"),
                        (["--seeds", "0"], "seeds 0"), (["--imagenet", "none.whl"], "none.whl: there is no such file")):
        assert ablate.main([*arguments, *wrong]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


WORKER = """
import sys
from pathlib import Path
import torch
from thermal_kd_ros.models.specs import LandmarkerSpec
from training.data.rendered_faces import CropConfig
from training.landmarks import train
from training.landmarks.fit import run
cache, output, faces = map(Path, sys.argv[1:])
settings = train.PlainSettings(spec=LandmarkerSpec(size=32, widths=(8, 8, 8), depths=(1, 1, 1)), batch=5, epochs=1,
                               crops=CropConfig(size=32), adapt="driver")
sys.exit(run(lambda: train.train(settings, [cache], output, None, torch.device("cpu"), 1, [faces])))
"""


def test_a_broken_label_found_by_a_worker_is_told_without_its_traceback(cache, drivers, tmp_path, repository):
    sequence = tmp_path / "real" / "1_Man"
    shutil.copytree(drivers / "1_Man_NoGlasses_Normal", sequence)
    for path in (sequence / "labels").iterdir():
        path.write_text("0 1 2\n")
    # In a process of its own: a worker is a fork, and this process may hold threads of other libraries' by now.
    done = subprocess.run([sys.executable, "-c", WORKER, str(cache), str(tmp_path / "out"), str(sequence.parent)],
                          env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"error: {sequence}" in done.stderr and "line 1: 3 values" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("layout", ["sf_tl54", "t_fake"])
def test_a_network_is_adapted_to_the_published_sets(layout, cache, tmp_path):
    """A tiny tree as its authors publish it; the state tells that its faces were trained on."""
    rng = np.random.default_rng(4)
    picture, points = rng.integers(0, 255, (96, 96), np.uint8), rng.uniform(20, 80, (70, 2))
    points[[8, 27]] = (50, 80), (50, 40)
    if layout == "sf_tl54":
        folder = tmp_path / "set" / "gray" / "train"
        (folder / "json").mkdir(parents=True)
        (folder / "images").mkdir()
        cv2.imwrite(str(folder / "images" / "1_1.png"), picture)
        shapes = [{"label": "face", "points": [[10, 10], [90, 90]]}, {"label": "all", "points": points[:54].tolist()}]
        (folder / "json" / "1_1.json").write_text(json.dumps({"shapes": shapes}))
        folders = [tmp_path / "set"]
    else:
        folders = [tmp_path / "colour", tmp_path / "cold"]
        for folder in folders:
            folder.mkdir()
        np.savetxt(folders[0] / "000001_ldmks.txt", points)
        cv2.imwrite(str(folders[1] / "000001_thermal.png"), picture)
    chosen = settings(train.PlainSettings, CropConfig, adapt=layout)
    path = train.train(chosen, [cache], tmp_path / "out", None, CPU, 0, folders)
    card = read(path)[0]
    assert card.data[-1].startswith({"sf_tl54": "SF-TL54", "t_fake": "T-FAKE"}[layout])
    assert card.licence == {"sf_tl54": "research only", "t_fake": "CC BY-NC-SA 4.0"}[layout]
    steps = [json.loads(line)["step"] for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert steps == [4, 8]  # twice the ten heads in batches of five


def test_sets_that_do_not_fit_are_told(cache, tmp_path, capsys):
    for more, said in ((("--adapt-layout", "t_fake", "--adapt", tmp_path), "and the folder of <id>_thermal.png"),
                       (("--adapt-layout", "sf_tl54", "--adapt", tmp_path), "expected SF-TL54's"),
                       (("--adapt-layout", "sf_tl54"), "by --adapt, 0 given")):
        assert command(train, cache, tmp_path / "out", *more) == 1
        assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


def taught_thermal(cache, taught, tmp_path):
    return transfer.train(settings(transfer.TransferSettings, PairConfig), [cache], str(taught), tmp_path / "thermal",
                          None, CPU, 0)


def test_a_student_of_other_widths_learns_through_adapters_that_are_not_exported(cache, taught, tmp_path):
    thermal = taught_thermal(cache, taught, tmp_path)
    chosen = compress.CompressSettings(spec=LandmarkerSpec(size=32, widths=(8, 6, 10), depths=(1, 1, 1)),
                                       crops=CropConfig(size=32), epochs=1, batch=5)
    path = compress.train(chosen, [cache], str(thermal), tmp_path / "light", None, CPU, 0)
    card, found = read(path)
    from thermal_kd_ros.models.landmarker import Landmarker

    plain = Landmarker(chosen.spec)
    assert set(found) == set(plain.state_dict())
    assert card.parameters == sum(p.numel() for p in plain.parameters())


def test_networks_that_start_from_the_other_kind_of_light_see_grey_images_alike(cache, taught, tmp_path):
    path = train.train(settings(train.PlainSettings, CropConfig), [cache], tmp_path / "thermal", None, CPU, 0)
    visible = dataclasses.replace(TINY, channels=3)
    grey = torch.rand(2, 1, 32, 32)
    for start, spec in ((taught, TINY), (path, visible)):
        source = load_network(str(start))[1].eval()
        started = build(dataclasses.replace(settings(train.PlainSettings, CropConfig), spec=spec, start=str(start)),
                        CPU).eval()
        with torch.inference_mode():
            seen = [network(grey.expand(-1, network.spec.channels, -1, -1)) for network in (source, started)]
        for own, other in zip(*seen, strict=True):
            torch.testing.assert_close(own, other, atol=1e-4, rtol=1e-4)
        assert source.spec.channels != started.spec.channels


def test_students_keep_their_budgets():
    light, tiny = compress.SIZES["light"], compress.SIZES["tiny"]
    from thermal_kd_ros.models.landmarker import Landmarker

    assert sum(p.numel() for p in Landmarker(light).parameters()) <= 600_000
    assert ablate.mega_flops(Landmarker(light)) <= 60
    assert sum(p.numel() for p in Landmarker(tiny).parameters()) <= 200_000


def test_wrong_teachers_caches_and_photographs_are_told(cache, taught, tmp_path, capsys):
    for spec, said in ((LandmarkerSpec(size=32, depths=(1, 1, 1)), "give --widths 8 8 8"),
                       (dataclasses.replace(TINY, depths=(1, 1, 2)), "give another --teacher")):
        with pytest.raises(DataError, match=said):
            transfer.load_teacher(transfer.TransferSettings(spec=spec), str(taught), CPU)
    with np.load(cache) as archive:
        np.savez(tmp_path / "thermal.npz", **{name: archive[name] for name in archive.files if name != "colours"})
    with pytest.raises(DataError, match="--visible"):
        HeadCache([tmp_path / "thermal.npz"], visible_light=True)
    arguments = ["--pairs", str(cache), "--photographs", str(tmp_path), "--output", str(tmp_path / "out")]
    assert teacher.main(arguments) == 1
    assert "landmarks68.json is missing" in capsys.readouterr().err
    with pytest.raises(ModelError, match="this is a model for detection"):
        load_network("face_detector")
    with pytest.raises(DataError, match="cannot start from those weights"):
        build(dataclasses.replace(settings(train.PlainSettings, CropConfig, start=str(taught)),
                                  spec=dataclasses.replace(TINY, depths=(1, 1, 2))), CPU)
    for values in ({"target": "both"}, {"injection": "both"}):
        with pytest.raises(ValueError, match="none of"):
            transfer.TransferSettings(**values)


def test_the_ablation_writes_a_row_per_method_and_goes_on(cache, photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(ablate, "WEIGHTS", {"DIKD": ablate.WEIGHTS["DIKD"]})
    monkeypatch.setattr(ablate, "UNDECAYED", ("DIKD",))
    monkeypatch.setattr(ablate, "COMPRESSED", ("none",))
    report = tmp_path / "RESULTS.md"
    begin, end = marks(name_of("scarce"))
    report.write_text(f"# Before\n\n{begin}\nold\n{end}\nafter\n")
    arguments = ([cache], cache, photographs, tmp_path, tmp_path / "runs", report,
                 ablate.Budget(epochs=1, teacher_epochs=1, batch=5, seeds=1), CPU)
    ablate.ablate(*arguments)
    text = report.read_text()
    assert text.startswith("# Before") and text.endswith("after\n") and "old" not in text
    for method in ("none", "DIKD, cosine", "DIKD, constant", "alone", "from none"):
        assert f"| {method} | 1 |" in text
    rows = (tmp_path / "runs" / "rows.jsonl").read_text()
    ablate.ablate(*arguments)
    assert (tmp_path / "runs" / "rows.jsonl").read_text() == rows
    # Rows of another budget, or on other data, do not belong into the same table.
    written = report.read_text()
    longer = dataclasses.replace(arguments[6], epochs=2)
    with pytest.raises(DataError, match="runs with other epochs: give another --output"):
        ablate.ablate(*arguments[:6], longer, CPU)
    with pytest.raises(DataError, match="runs with other pairs"):
        ablate.ablate([cache, cache], *arguments[1:])
    assert report.read_text() == written


def test_cells_are_mean_and_sample_deviation(tmp_path):
    assert mean_and_spread([1.0, 2.0, 4.5], 2) == f"{2.5:.2f} ± {np.std([1.0, 2.0, 4.5], ddof=1):.2f}"
    assert mean_and_spread([3.0], 2) == "3.00" and mean_and_spread([], 2) == ""
    facts = {"pairs": 1, "teacher_pairs": 1, "held_out": 1, "turned": 45.0, "photographs": 1, "teacher_nme": 1.0,
             "networks": {name: {"parameters": 1000, "mflops": 1.0} for name in ("thermal", "student")}}
    page = tmp_path / "page.md"
    page.write_text("\n".join(["# Results", *marks(name_of("scarce")), *marks(name_of("long"))]))
    for title in ("scarce", "long"):
        write_report(page, title, [], facts, ablate.Budget())
    text = page.read_text()
    assert text.startswith("# Results") and text.count("Budget of a row") == 2
    assert all(text.count(mark) == 1 for title in ("scarce", "long") for mark in marks(name_of(title)))


def test_a_report_without_a_place_for_the_tables_is_told_before_anything_runs(tmp_path):
    (tmp_path / "r.md").write_text("# Results\n")
    with pytest.raises(DataError, match="ablation other: begin"):
        ablate.ablate([], tmp_path, tmp_path, tmp_path, tmp_path / "runs", tmp_path / "r.md", ablate.Budget(), CPU,
                      "other")
    assert not (tmp_path / "runs").exists()


def test_unknown_transfers_are_told(tmp_path):
    with pytest.raises(DataError, match="DIKD, cosine"):
        ablate.ablate([], tmp_path, tmp_path, tmp_path, tmp_path, tmp_path / "r.md", ablate.Budget(only=("FDD",)), CPU)
