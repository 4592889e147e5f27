"""The training loop: a killed run ends with the same weights; saving never leaves half a file."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from thermal_kd_ros.models.card import ModelError  # noqa: E402
from thermal_kd_ros.models.checkpoint import read  # noqa: E402
from thermal_kd_ros.models.detector import Detector  # noqa: E402
from thermal_kd_ros.models.specs import DetectorSpec  # noqa: E402
from training.data.coco import DataError  # noqa: E402
from training.data.mixture import Mixture, Part  # noqa: E402
from training.detector.experiment import ARCHITECTURES, EXPERIMENTS, DataPart, Experiment, load  # noqa: E402
from training.detector.teacher import load_teacher  # noqa: E402
from training.detector.train import (  # noqa: E402
    build_mixture,
    build_network,
    build_source,
    identity,
    main,
    start_from,
    train,
)
from training.distributed import Processes  # noqa: E402
from training.loop import learning_rate, save_state, update_ema  # noqa: E402
from training.provenance import OPEN  # noqa: E402

TINY = Experiment(name="tiny", architecture="face", classes=("person",), parts=(DataPart("coco", "set"),),
                  train_size=(64, 64), input_size=(64, 96), epochs=4, batch=4, warmup_steps=2, mosaic_off=1)
SHORT = dataclasses.replace(TINY, epochs=2)
RUN = """
import dataclasses, sys, pathlib, torch
torch.set_num_threads(1)
sys.path.insert(0, {test!r})
from test_train import TINY
from training.detector.train import train
# An epoch takes a quarter of a second: long enough that a busy machine still gets round to the kill.
train(dataclasses.replace(TINY, epochs=16), pathlib.Path({output!r}), pathlib.Path({data!r}), torch.device("cpu"), 0)
"""


def start(output, data):
    here = os.path.dirname(__file__)
    code = RUN.format(test=here, output=str(output), data=str(data))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)


def test_a_killed_run_ends_with_the_same_weights(tmp_path, data):
    straight, broken = start(tmp_path / "straight", data), start(tmp_path / "broken", data)
    log = tmp_path / "broken" / "log.jsonl"
    while broken.poll() is None and not (log.exists() and log.read_text().count("\n") >= 1):
        time.sleep(0.02)
    assert broken.poll() is None, "the run ended before it could be killed: make it longer"
    broken.send_signal(signal.SIGKILL)
    broken.wait()
    _, errors = straight.communicate()
    assert straight.returncode == 0, errors.decode()
    again = start(tmp_path / "broken", data)
    _, errors = again.communicate()
    assert again.returncode == 0, errors.decode()
    card, weights = read(tmp_path / "straight" / "tiny.safetensors")
    other_card, other = read(tmp_path / "broken" / "tiny.safetensors")
    assert card == other_card and card.classes == ("person",)
    for name in weights:
        np.testing.assert_array_equal(weights[name], other[name], err_msg=name)


RESUME = """
import sys, pathlib, torch
torch.set_num_threads(1)
sys.path.insert(0, {test!r})
from test_train import SHORT
from training.detector.train import train
train(SHORT, pathlib.Path({output!r}), pathlib.Path({data!r}), torch.device("cpu"), 1, state_steps=2)
"""


def test_a_run_that_stops_within_an_epoch_goes_on_to_the_same_weights(tmp_path, data, monkeypatch, repository):
    straight = train(SHORT, tmp_path / "straight", data, torch.device("cpu"), 0)

    def stop(average, model, step, decay):
        if step == 7:
            raise KeyboardInterrupt
        update_ema(average, model, step, decay)

    monkeypatch.setattr("training.detector.train.update_ema", stop)
    with pytest.raises(KeyboardInterrupt):
        train(SHORT, tmp_path / "broken", data, torch.device("cpu"), 0, state_steps=2)
    # Epochs have four steps: six lie within the second.
    assert torch.load(tmp_path / "broken" / "state.pt", weights_only=True)["step"] == 6
    code = RESUME.format(test=os.path.dirname(__file__), output=str(tmp_path / "broken"), data=str(data))
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(repository)},
                          capture_output=True, text=True)
    assert done.returncode == 0 and "goes on at step 6 of 8" in done.stdout, done.stderr[-3000:]
    for name, value in read(straight)[1].items():
        np.testing.assert_array_equal(value, read(tmp_path / "broken" / "tiny.safetensors")[1][name], err_msg=name)


@pytest.mark.gpu
def test_a_run_begun_on_a_cpu_goes_on_on_a_gpu(tmp_path, data):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    train(SHORT, tmp_path / "run", data, torch.device("cpu"), 0)
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    save_state(tmp_path / "run" / "state.pt", {**state, "step": 4})
    train(SHORT, tmp_path / "run", data, torch.device("cuda"), 0)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 8


def test_another_experiment_in_the_same_folder_is_refused(tmp_path, data):
    (tmp_path / "run").mkdir()
    save_state(tmp_path / "run" / "state.pt", {"run": "{}", "step": 3})
    with pytest.raises(DataError, match="another experiment"):
        train(TINY, tmp_path / "run", data, torch.device("cpu"), 0)


@pytest.mark.parametrize(("arguments", "said"), [
    (["--set", "balance=-1"], "balance -1.0: give"), (["--set", "balance=1.5"], "balance 1.5: give"),
    (["--set", "balance=NaN"], "balance nan: give"), (["--seed", "-1"], "--seed -1: give")])
def test_impossible_numbers_of_a_run_are_told_by_their_names(tmp_path, capsys, arguments, said):
    assert main(["nano", "--output", str(tmp_path / "run"), "--device", "cpu", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}") and error.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_damaged_state_is_told_in_a_line(tmp_path, data):
    path = tmp_path / "run" / "state.pt"
    path.parent.mkdir()
    own = {"run": identity(SHORT, data), "step": 3}
    for damage in (lambda: path.write_bytes(b""), lambda: path.write_bytes(b"junk" * 99), lambda: save_state(path, {}),
                   lambda: save_state(path, own), lambda: path.write_bytes(path.read_bytes()[:-40])):
        damage()
        with pytest.raises(DataError, match=r"state\.pt: damaged; delete it to begin anew") as caught:
            train(SHORT, tmp_path / "run", data, torch.device("cpu"), 0)
        assert "\n" not in str(caught.value)


def test_a_full_disk_keeps_the_previous_state(tmp_path, little_room):
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1})
    with pytest.raises(OSError), little_room():
        save_state(path, {"step": 2, "weights": torch.zeros(100_000)})
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.pt"]
    save_state(path, {"step": 3})
    assert torch.load(path, weights_only=True) == {"step": 3}


def test_a_full_disk_in_training_is_said_in_one_line(tmp_path, data, monkeypatch, capsys, little_room):
    monkeypatch.setitem(EXPERIMENTS, "tiny", TINY)
    with little_room():
        assert main(["tiny", "--output", str(tmp_path / "run"), "--data", str(data), "--workers", "0"]) == 1
    assert f"error: [Errno 27] File too large: '{tmp_path / 'run'}" in capsys.readouterr().err


def test_a_run_that_dies_on_its_last_model_file_writes_it_when_it_goes_on(tmp_path, data):
    short = dataclasses.replace(TINY, epochs=1)
    straight = train(short, tmp_path / "straight", data, torch.device("cpu"), 0)
    # A folder in the model file's place: it cannot be written.
    (tmp_path / "run" / "tiny.safetensors").mkdir(parents=True)
    with pytest.raises(OSError):
        train(short, tmp_path / "run", data, torch.device("cpu"), 0)
    (tmp_path / "run" / "tiny.safetensors").rmdir()
    path = train(short, tmp_path / "run", data, torch.device("cpu"), 0)
    for name, value in read(straight)[1].items():
        np.testing.assert_array_equal(value, read(path)[1][name], err_msg=name)


def test_an_epochs_last_state_is_never_older_than_its_model(tmp_path, data):
    """States are also written every few steps, and one of these may be an epoch's last."""
    short = dataclasses.replace(TINY, epochs=1)
    (tmp_path / "run" / "tiny.safetensors").mkdir(parents=True)
    with pytest.raises(OSError):
        train(short, tmp_path / "run", data, torch.device("cpu"), 0, state_steps=4)
    assert not (tmp_path / "run" / "state.pt").exists()
    (tmp_path / "run" / "tiny.safetensors").rmdir()
    path = train(short, tmp_path / "run", data, torch.device("cpu"), 0, state_steps=4)
    whole = path.read_bytes()
    path.unlink()  # a run that is done writes its model again, whatever became of it
    assert train(short, tmp_path / "run", data, torch.device("cpu"), 0).read_bytes() == whole


def test_a_loss_that_is_not_a_number_stops_with_the_batch_saved(tmp_path, data):
    broken = dataclasses.replace(TINY, loss=dataclasses.replace(TINY.loss))
    # Which nobody can ask for: it stands for a loss that goes wrong.
    object.__setattr__(broken.loss, "iou", float("nan"))
    with pytest.raises(FloatingPointError, match="at step 0; the batch is in .*bad_batch.pt"):
        train(broken, tmp_path / "run", data, torch.device("cpu"), 0)
    saved = torch.load(tmp_path / "run" / "bad_batch.pt", weights_only=True)
    assert saved["images"].shape == (4, 1, 64, 64) and saved["boxes"].shape[0] == 4
    assert not (tmp_path / "run" / "state.pt").exists()


PARALLEL = """
import sys, pathlib, torch
torch.set_num_threads(1)
sys.path.insert(0, {test!r})
from test_train import SHORT
from training.detector import train as training
from training.distributed import joined, same_everywhere
from training.loop import save_state
seen, averages = [], []
collate, update_ema = training.collate, training.update_ema


def noted(items):
    seen.append([tuple(map(float, item[0].ravel()[:8])) for item in items])
    return collate(items)


def kept(average, *rest):
    averages.append(average)
    update_ema(average, *rest)


training.collate, training.update_ema = noted, kept
output = pathlib.Path({output!r})
with joined(torch.device("cpu")) as processes:
    assert same_everywhere(torch.tensor(7.0)) and not same_everywhere(torch.tensor(float(processes.rank)))
    training.train(SHORT, output, pathlib.Path({data!r}), torch.device("cpu"), 0, processes)
    save_state(output / f"rank{{processes.rank}}.pt", {{"weights": averages[0].state_dict(), "seen": seen}})
"""


def test_two_processes_share_each_batch_and_keep_the_same_weights(tmp_path, data, repository):
    script, run = tmp_path / "run.py", tmp_path / "run"
    script.write_text(PARALLEL.format(test=os.path.dirname(__file__), output=str(run), data=str(data)))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)],
        env={**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (torch.load(run / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    for name, value in first["weights"].items():
        if "running" not in name:
            assert torch.equal(value, second["weights"][name]), name
    # Step by step, the two halves together are the batch that one process sees.
    mixture = Mixture([Part(build_source(p, TINY.classes, data), p.repeat, p.augment) for p in TINY.parts],
                      TINY.train_size, TINY.seed, TINY.contrast)
    assert len(first["seen"]) == len(second["seen"]) == 8
    for step, (mine, other) in enumerate(zip(first["seen"], second["seen"], strict=True)):
        epoch, place = divmod(step, 4)
        mixture.set_epoch(epoch)
        mixture.mosaic_on = epoch < 1
        whole = [tuple(map(float, mixture[place * 4 + i][0].ravel()[:8])) for i in range(4)]
        assert mine == whole[0::2] and other == whole[1::2]
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [4, 8]
    card, weights = read(run / "tiny.safetensors")
    assert card.classes == ("person",)
    for name, value in weights.items():
        np.testing.assert_array_equal(value, first["weights"][name].numpy(), err_msg=name)


def test_balance_weighs_sets_that_tell_their_labels_and_is_refused_elsewhere(data, monkeypatch):
    balanced = dataclasses.replace(TINY, balance=0.5)
    assert build_mixture(TINY, data).parts[0].weights is None
    weights = build_mixture(balanced, data).parts[0].weights
    np.testing.assert_array_equal(weights, np.ones(16))  # the only class is in every image
    path = data / "set" / "train.json"
    content = json.loads(path.read_text())
    content["categories"].append({"id": 2, "name": "dog"})
    content["annotations"] += [{"id": 90 + i, "image_id": i, "category_id": 2, "bbox": [2, 2, 9, 9]} for i in (3, 8)]
    path.write_text(json.dumps(content))
    weights = build_mixture(dataclasses.replace(balanced, classes=("person", "dog")), data).parts[0].weights
    # In 2 of 16 images, wanted in half of them: repeat factors are the root of what is lacking (Gupta et al., 2019).
    np.testing.assert_allclose(weights, np.where(np.isin(np.arange(16), (3, 8)), 2.0, 1.0))
    coco = build_source(balanced.parts[0], ("person", "dog"), data)

    class OtherLayout(list):
        def boxes(self, i):
            return coco.boxes(i)

    monkeypatch.setattr("training.detector.train.build_source", lambda *_: OtherLayout(range(16)))
    np.testing.assert_array_equal(build_mixture(balanced, data).parts[0].weights, weights)
    monkeypatch.setattr("training.detector.train.build_source", lambda *_: [])
    with pytest.raises(DataError, match="balance takes sets that tell their labels without making an image; coco does"):
        build_mixture(balanced, data)


def test_batches_are_shared_without_gaps_or_refused():
    for world in (1, 2, 4):
        shares = [Processes(rank, world).batches(8, 1, 3) for rank in range(world)]
        for step in range(2):
            assert sorted(i for share in shares for i in share[step]) == list(range(8 * (step + 1), 8 * (step + 2)))
    with pytest.raises(ValueError, match="shared evenly by 3"):
        Processes(0, 3).batches(8, 0, 1)


@pytest.mark.parametrize("setting, told", [
    ("batch=0", "batch and epochs are at least 1"), ("epochs=0", "batch and epochs are at least 1"),
    ("architecture=foo", "architecture is one of nano"), ("modality=visable", "modality is one of thermal, visible"),
    ("parts=[1]", "parts takes a list of DataPart"), ("distill.method=cwd", "one without the other"),
    ("lr=0", "lr 0: give a number above 0"), ("clip=0", "clip 0: give a number above 0"),
    ("clip=-1", "clip -1: give a number above 0"), ("ema=2", "ema 2.0: give a value in 0..1"),
    ("final_lr=-1", "final_lr -1"), ("weight_decay=-1", "weight_decay -1"), ("warmup_steps=-1", "warmup_steps -1"),
    ("train_size=[100,100]", "train_size [100, 100]: give [height, width], multiples of 32"),
    ("train_size=[0,0]", "train_size [0, 0]"), ("input_size=[500,640]", "input_size [500, 640]"),
    ('classes=["person","person"]', "give at least one, and none twice"), ("classes=[]", "give at least one"),
    ("distill.temperature=-0.2", "distill.temperature -0.2"), ("distill.cap=0", "distill.cap 0: give at least 1"),
    ("distill.queue=-1", "distill.queue -1"), ("distill.jitter=-1", "distill.jitter -1"),
    ("distill.background=-1", "distill.background -1"), ("distill.width=0", "distill.width 0"),
    ('parts=[{"kind":"coco","root":"set","repeat":-1}]', "set: repeat -1.0: give at least 0"),
    ('parts=[{"kind":"rendered_faces","options":{"cache":"a","lenght":3}}]', "options are cache"),
    ('parts=[{"kind":"rendered_faces"}]', "options are cache"),
    ('parts=[{"kind":"rendered_faces","options":{"cache":"a","length":0}}]', "length 0: give at least 1"),
    ('parts=[{"kind":"coco","root":"set","augment":{"scale":[0,1]}}]', "above 0"),
    ("distill.lambda_rcs=-0.2", "distill.lambda_rcs -0.2: give at least 0"),
    ("train_size=[256]", "train_size takes 2 numbers"),
    ("distill.rcs_decay=[0,true]", "takes a list of float, not True"),
    ("distill.teacher=detector_nano", "teaches nothing"), ("distill.lambda_method=1", "one without the other")])
def test_settings_that_cannot_work_are_told_in_one_line(tmp_path, data, capsys, setting, told):
    assert main(["nano", "--output", str(tmp_path / "run"), "--data", str(data), "--set", setting]) == 1
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (tmp_path / "run" / "state.pt").exists()


def test_the_learning_rate_warms_up_and_falls_to_its_end():
    experiment = Experiment(warmup_steps=10)
    rates = [learning_rate(step, 1000, experiment) for step in range(1001)]
    assert rates[0] == pytest.approx(experiment.lr / 10)
    assert int(np.argmax(rates)) in range(8, 12)
    assert rates[-1] == pytest.approx(experiment.lr * experiment.final_lr)
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False))


def test_the_average_follows_the_weights():
    model, average = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    start_weight = average.weight.detach().clone()
    update_ema(average, model, 10**6, 0.9)
    torch.testing.assert_close(average.weight, 0.9 * start_weight + 0.1 * model.weight)


def test_whole_numbers_are_good_for_real_ones_in_lists_too():
    from training.detector.experiment import changed, parse_changes

    assert changed(TINY, parse_changes(["distill.rcs_decay=[0,0.5]", "lr=1"])).distill.rcs_decay == (0.0, 0.5)


def test_a_run_goes_on_only_with_the_weights_and_data_that_it_began_with(tmp_path, data):
    first, second = (train(dataclasses.replace(TINY, epochs=1, seed=seed), tmp_path / str(seed), data,
                           torch.device("cpu"), 0) for seed in (0, 1))
    shutil.copy(first, tmp_path / "start.safetensors")
    goes_on = dataclasses.replace(TINY, epochs=1, start=str(tmp_path / "start.safetensors"))
    assert identity(goes_on, data) == identity(goes_on, data / ".." / data.name)
    train(goes_on, tmp_path / "run", data, torch.device("cpu"), 0)
    shutil.copytree(data, tmp_path / "copy")
    with pytest.raises(DataError, match="another start"):
        train(goes_on, tmp_path / "run", tmp_path / "copy", torch.device("cpu"), 0)
    shutil.copy(second, tmp_path / "start.safetensors")
    with pytest.raises(DataError, match="another start"):
        train(goes_on, tmp_path / "run", data, torch.device("cpu"), 0)


def test_nothing_starts_from_a_network_of_which_only_counters_fit():
    with pytest.raises(ModelError, match="none of its layers fits"):
        start_from(Detector(DetectorSpec(classes=1, **ARCHITECTURES["face"])), "detector_nano", ("zebra",))


def test_start_from_takes_what_fits_and_classes_by_their_names(tmp_path, data):
    path = train(Experiment(**{**TINY.__dict__, "epochs": 1}), tmp_path / "run", data, torch.device("cpu"), 0)
    weights = read(path)[1]
    wider = Detector(DetectorSpec(classes=3, **ARCHITECTURES["face"]))
    before = wider.state_dict()["heads.0.classify.1.bias"].clone()
    total = len(wider.state_dict())
    said = start_from(wider, str(path), ("car", "person", "dog"))
    assert said == f"{total} of {total} tensors, car, dog from scratch"
    after = wider.state_dict()
    np.testing.assert_array_equal(after["heads.0.classify.1.weight"][1], weights["heads.0.classify.1.weight"][0])
    np.testing.assert_array_equal(after["heads.0.classify.1.bias"][[0, 2]], before[[0, 2]])
    np.testing.assert_array_equal(after["heads.0.regress.1.weight"], weights["heads.0.regress.1.weight"])
    with pytest.raises(ModelError, match="neither"):
        start_from(wider, "nothing_there", ("person",))
    with pytest.raises(ModelError, match="a model for landmarks"):
        start_from(wider, "landmarks_light", ("person",))


def test_a_level_that_learns_nothing_is_told(tmp_path, data, capsys):
    # What the set shows is far too small for cells of 32 pixels once those of 8 have learnt it.
    train(dataclasses.replace(TINY, epochs=1), tmp_path / "run", data, torch.device("cpu"), 0)
    (line,) = [json.loads(row) for row in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    shares = {key: value for key, value in line.items() if key.startswith("stride")}
    assert shares.keys() == {"stride8", "stride16", "stride32"} and 0 < sum(shares.values()) < 1.001
    said = capsys.readouterr().err
    assert ("stride32: that level" in said) == (shares["stride32"] == 0)
    assert ("no object was learnt" in said) == (0 in shares.values())


def test_layers_that_are_named_start_anew(capsys):
    values = {"start": "detector_nano", "anew": ("heads.2.", "neck.down.1")}
    old, new = (build_network(load("nano_views", values | {"anew": anew})).state_dict()
                for anew in ((), values["anew"]))
    assert "of them anew" in capsys.readouterr().out
    torch.manual_seed(0)
    other = build_network(load("nano_views", values)).state_dict()
    for name, value in new.items():
        named = name.startswith(("heads.2.", "neck.down.1"))
        if value.ndim > 1:
            assert torch.equal(value, old[name]) != named
            assert torch.equal(value, other[name]) != named  # drawn, not constant
    with pytest.raises(ValueError, match=r"no layer's name begins with 'head\.7'"):
        build_network(load("nano_views", values | {"anew": ("head.7",)}))
    with pytest.raises(ValueError, match="give that too"):
        load("nano_views", {"start": "", "anew": ("heads.2.",)})


def test_faces_are_no_gaps_in_what_a_detector_of_people_learns():
    for name, experiment in EXPERIMENTS.items():
        for part in experiment.parts:
            if part.root == "scenes" and "face" not in experiment.classes:
                assert {"face", "ignored_face"} <= set(part.background), name


def test_a_larger_network_starts_as_the_smaller_one():
    small = build_network(load("small", {"start": "detector_nano"})).eval()
    _, nano = load_teacher("detector_nano")
    image = torch.rand(1, 1, 64, 64)
    shared = nano(image)[1]
    torch.testing.assert_close(small(image)[1][:, -shared.shape[1]:], shared, rtol=1e-3, atol=1e-4)


def test_a_model_names_the_sources_of_its_start_and_its_teacher_and_keeps_their_terms(tmp_path, data):
    def trained(name, source, terms, **changes):
        part = dataclasses.replace(TINY.parts[0], licence=source, terms=terms)
        experiment = dataclasses.replace(TINY, name=name, epochs=1, parts=(part,), **changes)
        path = train(experiment, tmp_path / name, data, torch.device("cpu"), 0)
        return path, read(path)[0]

    first, card = trained("first", "set one, FLIR's terms", "FLIR's terms")
    assert (card.data, card.licence) == (("set one, FLIR's terms",), "FLIR's terms")
    _, card = trained("second", "set two, CC BY 4.0", OPEN, start=str(first))
    assert (card.data, card.licence) == (("set two, CC BY 4.0", "set one, FLIR's terms"), "FLIR's terms")
    taught = dataclasses.replace(TINY.distill, method="cwd", lambda_method=1.0, teacher=str(first))
    _, card = trained("third", "set two, CC BY 4.0", OPEN, distill=taught)
    assert (card.data, card.licence) == (("set two, CC BY 4.0", "set one, FLIR's terms"), "FLIR's terms")
    _, card = trained("fourth", "set two, CC BY 4.0", OPEN)
    assert (card.data, card.licence) == (("set two, CC BY 4.0",), OPEN)


def test_a_run_goes_on_after_the_terms_of_its_data_were_put_right():
    part = dataclasses.replace(TINY.parts[0], terms="FLIR's terms")
    assert dataclasses.replace(TINY, parts=(part,)).to_json() == TINY.to_json()


def test_every_experiment_can_be_built():
    for name in EXPERIMENTS:
        experiment = load(name, {"seed": 3})
        assert experiment.seed == 3 and json.loads(experiment.to_json())["name"] == experiment.name
        build_network(dataclasses.replace(experiment, start=""))
    with pytest.raises(ValueError, match="nano"):
        load("huge", {})
