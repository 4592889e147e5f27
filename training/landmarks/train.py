"""Train the landmark network on rendered heads: data, network, steps, model file. Reads from top to bottom.

``python3 -m training.landmarks.train --heads heads.npz --output runs/landmarks``

With ``--adapt <driver_faces>`` half of every batch are real faces of that set's people ``1_*``, which is for research
only: so is the model then, and its card says so.

A run that was killed goes on where it stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset
from tqdm import tqdm

from thermal_kd_ros.faces import CROP_MARGIN
from thermal_kd_ros.models.checkpoint import ModelCard, ModelError, read, resolve, write
from thermal_kd_ros.models.landmarker import Landmarker, LandmarkerSpec
from training.data.coco import DataError
from training.data.compositing import load_backgrounds
from training.data.driver_faces import DriverFaces
from training.data.head_cache import HeadCache
from training.data.labelled_crops import LabelledCrops
from training.data.rendered_faces import CropConfig, LandmarkCrops
from training.loop import learning_rate, parameter_groups, save_state, update_ema
from training.losses.landmarks import gaussian_nll, wing_loss

LICENCES = (
    "heads rendered by this project from ICT FaceKit (Li et al., CVPR 2020), MIT",
    "backgrounds from HIT-UAV (Suo et al., Scientific Data 10, 227, 2023), CC BY 4.0",
)
DRIVER_FACES_TERMS = ("driver_faces people 1_* (Knapik et al., Electronics 13(17), 3502, 2024), labels by a network; "
                      "academic and research use only")


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
    likelihood: float = 1.0
    """Weight of the sigma's likelihood, which does not move the points, against the Wing loss."""
    seed: int = 0
    start: str = ""
    """Model file whose weights the run starts from."""
    adapt: bool = False
    """Whether the run also sees real faces, whose terms then hold for the weights."""

    def to_json(self) -> str:
        """All values, for logs and comparisons."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


def train(settings: Settings, heads: list[Path], output: Path, data: Path | None, device: torch.device, workers: int,
          real: Path | None = None) -> Path:
    """Run the training; returns the path of the model file."""
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)

    rendered = LandmarkCrops(HeadCache(heads), load_backgrounds(data), settings.seed, settings.crops)
    parts: list[LandmarkCrops | LabelledCrops] = [rendered]
    if real:
        parts.append(LabelledCrops(DriverFaces(real, "1"), len(rendered), settings.seed, settings.crops))
    crops: ConcatDataset[tuple[np.ndarray, np.ndarray]] = ConcatDataset(parts)
    steps_per_epoch = len(crops) // settings.batch
    total = steps_per_epoch * settings.epochs

    model = Landmarker(settings.spec).to(device).to(memory_format=torch.channels_last)
    if settings.start:
        model.load_state_dict({key: torch.from_numpy(value) for key, value in read(resolve(settings.start))[1].items()})
    average = copy.deepcopy(model).eval()
    optimiser = torch.optim.AdamW(parameter_groups(model, settings.weight_decay), lr=settings.lr)

    state_path, step = output / "state.pt", 0
    if state_path.exists():
        state = torch.load(state_path, map_location=device, weights_only=True)
        if state["settings"] != settings.to_json():
            raise DataError(f"{state_path} belongs to another run; give another --output or delete it")
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
        print(f"goes on at step {step} of {total}")

    bar = tqdm(total=total, initial=step, desc=settings.name, unit="step", smoothing=0.02, mininterval=5.0)
    while step < total:
        epoch, first = divmod(step, steps_per_epoch)
        for part in parts:
            part.epoch = epoch
        order = torch.randperm(len(crops), generator=torch.Generator().manual_seed(settings.seed * 10007 + epoch))
        rest = order[first * settings.batch : steps_per_epoch * settings.batch].tolist()
        # OpenCV's own threads in the workers would only fight with the network's.
        loader = DataLoader(Subset(crops, rest), settings.batch, num_workers=workers,
                            worker_init_fn=lambda _: cv2.setNumThreads(0))
        sums = {"wing": 0.0, "likelihood": 0.0, "error_px": 0.0}
        count = 0
        model.train()
        for images, target in loader:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, total, settings)
            images, target = images.to(device, memory_format=torch.channels_last), target.to(device)
            with torch.autocast(device.type, torch.bfloat16):
                points, sigma = model(images)
            wing = wing_loss(points, target).mean()
            squared = (points.detach() - target).square().sum(dim=2)
            likelihood = gaussian_nll(squared, sigma).mean()
            loss = wing + settings.likelihood * likelihood
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower lr")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            update_ema(average, model, step, settings.ema)
            step += 1
            count += 1
            bar.update()
            for key, value in (("wing", wing), ("likelihood", likelihood), ("error_px", squared.sqrt().mean())):
                sums[key] += value.item()
        line = {"epoch": epoch, "step": step, "time": time.time(), "lr": learning_rate(step, total, settings),
                **{key: round(value / count, 4) for key, value in sums.items()}}
        with open(output / "log.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")
        bar.set_postfix({key: line[key] for key in sums})
        save_state(state_path, {"settings": settings.to_json(), "step": step, "model": model.state_dict(),
                                "average": average.state_dict(), "optimiser": optimiser.state_dict()})
        write_model(settings, average, output / f"{settings.name}.safetensors")
    bar.close()
    return output / f"{settings.name}.safetensors"


def write_model(settings: Settings, model: Landmarker, path: Path) -> None:
    """The averaged network as a model file with its card."""
    card = ModelCard(
        name=settings.name, task="landmarks", architecture=settings.spec.to_dict(), input_height=settings.spec.size,
        input_width=settings.spec.size, layout="sf_tl54", normalisation={"crop_margin": CROP_MARGIN},
        parameters=sum(p.numel() for p in model.parameters()),
        licence="research only" if settings.adapt else "Apache-2.0",
        data=(*LICENCES, DRIVER_FACES_TERMS) if settings.adapt else LICENCES,
        notes=f"seed {settings.seed}, {settings.epochs} epochs")
    write(path, card, {key: value.cpu().numpy() for key, value in model.state_dict().items()})


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.train",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, nargs="+", required=True, help="caches written by face_renderer")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run; an old run there goes on")
    parser.add_argument("--data", type=Path, help="folder with hit_uav for backgrounds; without it all are procedural")
    parser.add_argument("--adapt", type=Path, metavar="DRIVER_FACES", 
                        help="also train on real faces; the model is then for research only")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--lr", type=float, default=Settings.lr)
    parser.add_argument("--start", default="", help="model to start from")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare crops")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    settings = Settings(epochs=args.epochs, lr=args.lr, seed=args.seed, start=args.start,
                        adapt=args.adapt is not None)
    try:
        path = train(settings, args.heads, args.output, args.data, torch.device(args.device), args.workers,
                     args.adapt)
    except (DataError, ModelError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"model: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
