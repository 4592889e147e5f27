"""Train a detector: data, network, epochs, evaluation, model file. Reads from top to bottom.

``python3 -m training.detector.train nano --output runs/nano``

A run that was killed goes on where it stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from thermal_kd_ros.models.card import ModelCard, ModelError
from thermal_kd_ros.models.checkpoint import read, resolve, write
from thermal_kd_ros.models.detector import Backbone, Detector
from thermal_kd_ros.tone import contrast_in_card
from training.card import as_json
from training.command import command
from training.data.coco import DataError
from training.data.digest import of_files, of_heads, of_layout, of_pairs
from training.data.field_layouts import FieldPairs
from training.data.mixture import DetectionSource, Mixture, Part, collate
from training.data.sampling import repeat_factors
from training.detector import teacher as teachers
from training.detector.evaluate import evaluate_network
from training.detector.experiment import DEFAULT_DATA, DataPart, Experiment, changed, load, parse_changes
from training.detector.grow import can_grow, grow
from training.detector.objective import Objective
from training.device import usable_device, use_threads
from training.distributed import Processes, joined, same_everywhere, synchronised
from training.imagenet import IMAGENET_LICENCE
from training.loop import check_finite, learning_rate, load_state, parameter_groups, save_state, update_ema
from training.losses.detection import Targets
from training.options import check_number
from training.provenance import Provenance, digest_of, of_models

CLASS_LAYERS = re.compile(r"heads\.\d+\.classify\.1\.(weight|bias)")
"""Tensors of which each row belongs to a class."""
STATE_STEPS = 200
"""Steps from one state to the next within an epoch."""
MOST_SKIPS = 20
"""Steps in a row that a gradient scaler may skip because gradients are not finite.

It begins at 2^16 and halves with each: after 16 an overflow is not the scale's.
"""


@runtime_checkable
class TellsBoxes(Protocol):
    """A data set that tells its boxes and labels without making an image."""

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and labels (N,) of image ``i``."""


def build_source(part: DataPart, classes: tuple[str, ...], data: Path, visible: bool = False) -> DetectionSource:
    """The data set of one part of an experiment; ``visible``: with the visible halves of its pairs."""
    if part.kind == "rendered_faces":
        from training.data.rendered_faces import RenderedFaceScenes

        return RenderedFaceScenes(classes=classes, data=data, **part.options)
    return part.opened(data, part.train_split, classes, visible)


def build_part(part: DataPart, experiment: Experiment, data: Path, visible: bool) -> Part:
    """A data set of an experiment with how often its images are drawn."""
    source, weights = build_source(part, experiment.classes, data, visible), None
    if experiment.balance:
        if not isinstance(source, TellsBoxes):
            raise DataError(f"{part.root or part.kind}: balance takes sets that tell their labels without making an "
                            f"image; {part.kind} does not")
        weights = repeat_factors([source.boxes(i)[1] for i in range(len(source))], experiment.balance)
    return Part(source, part.repeat, part.augment, weights)


def build_mixture(experiment: Experiment, data: Path, visible: bool = False) -> Mixture:
    """The training images of an experiment; ``visible``: with the visible halves of its pairs."""
    return Mixture([build_part(part, experiment, data, visible) for part in experiment.parts], experiment.train_size,
                   experiment.seed, experiment.contrast, visible)


def begin_epoch(mixture: Mixture, experiment: Experiment, epoch: int) -> None:
    """Draw an epoch's order, and leave mosaic away in the last ones."""
    mixture.set_epoch(epoch)
    mixture.mosaic_on = epoch < experiment.epochs - experiment.mosaic_off


def build_network(experiment: Experiment) -> Detector:
    """The network of an experiment, with the weights that it starts from."""
    if experiment.architecture != "teacher":
        if experiment.modality != "thermal":
            raise ValueError(f"architecture {experiment.architecture} sees thermal images; only a teacher sees visible")
        network = Detector(experiment.spec())
    else:
        network = Detector(experiment.spec(), teachers.MobileNetFeatures(experiment.imagenet))
    if experiment.start:
        fresh = _layers(network, experiment.anew)
        how = start_from(network, experiment.start, experiment.classes)
        network.load_state_dict(fresh, strict=False)
        print(f"started from {experiment.start}: {how}" + (f", {len(fresh)} of them anew" if fresh else ""))
    return network


def _layers(network: Detector, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """Copies of the tensors whose names begin so; raises ValueError for a beginning that none has."""
    tensors = network.state_dict()
    for name in names:
        if not any(key.startswith(name) for key in tensors):
            known = sorted({key.rpartition(".")[0] for key in tensors})
            raise ValueError(f"anew: no layer's name begins with '{name}'; there are, for example, "
                             f"{', '.join(known[:3])}")
    return {key: value.clone() for key, value in tensors.items() if key.startswith(names)}


def start_from(model: Detector, name: str, classes: tuple[str, ...]) -> str:
    """Start from a model file, and say how: grown from a smaller detector, or with the tensors that agree in shape.

    ``classes`` are the model's; the rows of the class layers are taken by the names of their classes. Raises ModelError
    for a file of another task or one of which nothing fits.
    """
    card, weights = read(resolve(name))
    if card.task != "detection":
        raise ModelError(f"{name}: a detector cannot start from a model for {card.task}")
    if card.classes == classes and not teachers.is_teacher(card) and isinstance(model.backbone, Backbone):
        _, old = teachers.load_teacher(name)
        if old.spec != model.spec and can_grow(old.spec, model.spec):
            grow(model, old)
            return "grown"
    own = model.state_dict()
    known = [label for label in classes if label in card.classes]
    taken = {}
    for key, value in weights.items():
        tensor = torch.from_numpy(value.copy())
        if key in own and CLASS_LAYERS.fullmatch(key) and own[key].shape[1:] == tensor.shape[1:]:
            rows = own[key].clone()
            rows[[classes.index(label) for label in known]] = tensor[[card.classes.index(label) for label in known]]
            tensor = rows
        if key in own and own[key].shape == tensor.shape:
            taken[key] = tensor
    if not any(tensor.ndim > 1 for tensor in taken.values()):
        raise ModelError(f"{name}: none of its layers fits this network")
    model.load_state_dict(taken, strict=False)
    new = [label for label in classes if label not in card.classes]
    return f"{len(taken)} of {len(own)} tensors" + (f", {', '.join(new)} from scratch" if new else "")


def to_device(targets: Targets, device: torch.device) -> Targets:
    """Targets on a device."""
    return Targets(targets.boxes.to(device), targets.labels.to(device), targets.labelled.to(device))


def train(experiment: Experiment, output: Path, data: Path, device: torch.device, workers: int,
          processes: Processes | None = None, state_steps: int = STATE_STEPS) -> Path:
    """Run an experiment, alone or as one of several ``processes``; returns the path of the model file.

    Every ``state_steps`` steps of the run, and after each epoch, its state is written. Raises DataError for data that
    cannot be used and for the state of another run, and FloatingPointError for a loss, a gradient or weights that are
    not finite, which never reach a file.
    """
    processes = processes or Processes()
    check_number("--workers", workers, 0)
    output.mkdir(parents=True, exist_ok=True)
    experiment.distill.check()
    teacher, teacher_modality = None, experiment.modality
    if experiment.distill.needs_teacher:
        card, teacher = teachers.load_teacher(experiment.distill.teacher)
        teachers.check_teacher(card, experiment.spec(), experiment.classes)
        teacher, teacher_modality = teacher.to(device), teachers.modality(card)

    origin = provenance(experiment)
    visible = "visible" in (experiment.modality, teacher_modality)
    mixture = build_mixture(experiment, data, visible)
    run_of = identity(experiment, data, [part.data for part in mixture.parts])
    steps_per_epoch = len(mixture) // experiment.batch
    total = steps_per_epoch * experiment.epochs
    if total == 0:
        raise DataError(f"an epoch has {len(mixture)} images, fewer than a batch of {experiment.batch}")

    # Not before: a teacher that was loaded draws numbers too, and would change what the student starts from.
    torch.manual_seed(experiment.seed)
    student = build_network(experiment).to(device).to(memory_format=torch.channels_last)
    average = copy.deepcopy(student).eval()
    objective = Objective(experiment, student, teacher, teacher_modality).to(device)
    optimiser = torch.optim.AdamW(parameter_groups(objective, experiment.weight_decay), lr=experiment.lr)
    scaler = torch.amp.GradScaler(enabled=device.type == "cuda")

    state_path, step, skips = output / "state.pt", 0, 0

    def same_run(state: dict[str, Any]) -> None:
        if state["run"] != run_of:
            raise DataError(f"{state_path} belongs to another experiment, to one on other data, or with another start "
                            "or teacher; give another --output or delete it")

    if state_path.exists():
        step = load_state(state_path, device, same_run, {"objective": objective, "average": average,
                                                         "optimiser": optimiser, "scaler": scaler})
        print(f"goes on at step {step} of {total}")
    if not same_everywhere(torch.tensor(float(step), device=device)):
        raise DataError(f"this process would begin at step {step}, others elsewhere: only the first one writes "
                        f"{state_path}, so {output} must be a folder that all machines share, or be copied to them")

    def save() -> None:
        if processes.first:
            check_finite([objective, average], step)
            save_state(state_path, {
                "run": run_of, "step": step, "objective": objective.state_dict(),
                "average": average.state_dict(), "optimiser": optimiser.state_dict(),
                "scaler": scaler.state_dict()})

    # Every process has a share of the batch.
    bad_batch = output / f"bad_batch{processes.rank or ''}.pt"
    losses_of = synchronised(objective, processes)
    bar = tqdm(total=total, initial=step, desc=experiment.name, unit="step", smoothing=0.02, mininterval=5.0,
               disable=not processes.first)
    if step >= total and processes.first:
        # A run that is done leaves its model, whatever became of the file.
        write_model(experiment, average, output / f"{experiment.name}.safetensors", origin)
    while step < total:
        epoch, first = divmod(step, steps_per_epoch)
        begin_epoch(mixture, experiment, epoch)
        # Whole batches from the step that comes next: the order is the epoch's own, also after a resume.
        batches = processes.batches(experiment.batch, first, steps_per_epoch)
        loader = DataLoader(mixture, batch_sampler=batches, num_workers=workers, collate_fn=collate)
        sums: dict[str, float] = {}
        objective.train()
        for images, targets in loader:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, total, experiment)
            losses = losses_of(images.to(device), to_device(targets, device), step, total)
            if not torch.isfinite(losses["total"]):
                raise stopped(f"the loss is {losses['total'].item()} at step {step}", images, targets, bad_batch)
            optimiser.zero_grad(set_to_none=True)
            scaler.scale(losses["total"]).backward()
            scaler.unscale_(optimiser)
            norm = torch.nn.utils.clip_grad_norm_(objective.parameters(), experiment.clip)
            skips = 0 if torch.isfinite(norm) else skips + 1
            if skips > (MOST_SKIPS if scaler.is_enabled() else 0):
                often = f", the last of {skips} such steps in a row" if scaler.is_enabled() else ""
                raise stopped(f"the loss is finite but its gradient's norm is {norm.item()} at step {step}{often}",
                              images, targets, bad_batch)
            scaler.step(optimiser)
            scaler.update()
            update_ema(average, student, step, experiment.ema)
            step += 1
            bar.update()
            for key, value in losses.items():
                sums[key] = sums.get(key, 0.0) + value.item()
            if step % state_steps == 0 and step % steps_per_epoch:
                save()  # an epoch's last state comes after its model, below
        line = {"epoch": epoch, "step": step, "time": time.time(), "lr": learning_rate(step, total, experiment),
                **{key: round(value / len(batches), 4) for key, value in sums.items()}}
        bar.set_postfix({key: line[key] for key in sums})
        idle = [key for key in sums if key.startswith("stride") and line[key] == 0]
        if processes.first and idle:
            bar.write(f"warning: in epoch {epoch} no object was learnt by the cells of {', '.join(idle)}: that level "
                      "of the pyramid finds nothing; are there objects of its size?", file=sys.stderr)
        if processes.first:
            check_finite([objective, average], step)
            # Before the state: a run that dies between the two repeats its last steps and writes the model then.
            write_model(experiment, average, output / f"{experiment.name}.safetensors", origin)
        save()
        if processes.first:
            with open(output / "log.jsonl", "a") as log:
                log.write(json.dumps(line) + "\n")
    bar.close()
    return output / f"{experiment.name}.safetensors"


def stopped(why: str, images: torch.Tensor, targets: Targets, path: Path) -> FloatingPointError:
    """Save the batch of a step that cannot be taken to ``path``; what to raise, also where it cannot be saved."""
    try:
        save_state(path, {"images": images, "boxes": targets.boxes, "labels": targets.labels})
    except (OSError, MemoryError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        return FloatingPointError(f"{why}; the batch could not be saved ({reason}). Lower lr.")
    return FloatingPointError(f"{why}; the batch is in {path}. Lower lr, or look at that batch's boxes.")


def provenance(experiment: Experiment) -> Provenance:
    """Of the parts of an experiment, of the model that it starts from and of its teacher."""
    parts = (Provenance((part.licence,), part.terms) for part in experiment.parts)
    backbone = Provenance((IMAGENET_LICENCE,) if experiment.imagenet else ())
    return Provenance().merged(*parts, backbone, of_models(experiment.start, experiment.distill.teacher))


def identity(experiment: Experiment, data: Path, sources: Sequence[DetectionSource] = ()) -> str:
    """What a run is, as JSON: a name such as ``detector_nano`` may stand for other weights tomorrow, a folder for data.

    ``sources`` are the data sets of its parts if they are open already. Raises DataError for data and ModelError for
    models that cannot be read.
    """
    contents = [content(part, data, source) for part, source in zip_longest(experiment.parts, sources)]
    return json.dumps({"experiment": experiment.to_json(), "data": str(data.resolve()), "contents": contents,
                       "start": digest_of(experiment.start), "teacher": digest_of(experiment.distill.teacher)})


def content(part: DataPart, data: Path, source: DetectionSource | None = None) -> str:
    """A digest of what the split that is learnt from lists and labels; ``source``: the split if it is open already."""
    root = data / part.root
    if part.kind == "rendered_faces":
        return of_heads(data, part.options["cache"])
    if part.kind in ("coco", "pairs"):
        return of_files([root / f"{part.train_split}.json"])
    if isinstance(source, FieldPairs):
        return of_pairs(source, root)
    return of_layout(part.kind, root, part.train_split, part.background)


def write_model(experiment: Experiment, model: Detector, path: Path, origin: Provenance) -> None:
    """The averaged network as a model file with its card."""
    architecture: dict[str, object] = experiment.spec().to_dict()
    notes = f"experiment {experiment.name}, seed {experiment.seed}, {experiment.epochs} epochs"
    if experiment.architecture == "teacher":
        architecture = teachers.architecture(experiment.spec(), experiment.modality)
        notes += ", ImageNet backbone" if experiment.imagenet else ", backbone trained from scratch"
    card = ModelCard(
        name=experiment.name, task="detection", architecture=architecture,
        input_height=experiment.input_size[0], input_width=experiment.input_size[1], classes=experiment.classes,
        normalisation=contrast_in_card(experiment.contrast),
        parameters=sum(p.numel() for p in model.parameters()), licence=origin.licence,
        data=origin.data, notes=notes)
    write(path, card, {key: value.cpu().numpy() for key, value in model.state_dict().items()})


@command(DataError, ModelError, ValueError, FloatingPointError, OSError,
         interrupted="the same command goes on from the last state")
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python3 -m training.detector.train", description=summary)
    parser.add_argument("experiment", help="name of an experiment, see experiment.py")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run; an old run there goes on")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder with the data sets")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--start", help="model to start from")
    parser.add_argument("--lr", type=float, help="highest learning rate")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="values",
                        help="any field of the experiment, e.g. distill.lambda_rcs=0.2")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare images")
    args = parser.parse_args(argv)
    changes = {key: value for key in ("epochs", "seed", "start", "lr") if (value := getattr(args, key)) is not None}
    use_threads(args.threads)
    device = usable_device(args.device)
    experiment = changed(load(args.experiment, changes), parse_changes(args.values))
    with joined(device) as processes:
        path = train(experiment, args.output, args.data, device, args.workers, processes)
    if processes.first:
        print(f"model: {path}")
        show_figures(experiment, path, args.data)
    return 0


def show_figures(experiment: Experiment, model: Path, data: Path) -> None:
    """Print the figures of a trained model on the validation splits of its data."""
    for part in experiment.parts:
        # Sets that only show what the classes are not, or that have no split of their own for it, give no figures.
        measurable = part.kind in ("coco", "pairs") and not set(experiment.classes) <= set(part.absent)
        split = part.validation_split
        if measurable and split != part.train_split and (data / part.root / f"{split}.json").is_file():
            print(part.root, split, json.dumps(as_json(evaluate_network(model, data / part.root, split), 4)))


if __name__ == "__main__":
    sys.exit(main())
