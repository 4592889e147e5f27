"""Networks of others as ONNX files, timed as ours are: same library, same settings, same machine, same run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..config import EngineConfig
from ..engines.base import Engine
from ..engines.errors import EngineError


def peer_runner(path: Path, ours: Engine, config: EngineConfig) -> Callable[[], Any]:
    """A call that runs a network once on noise at the batch size 1, as ``ours`` is run; raises EngineError."""
    from ..engines.guard import GuardedEngine

    engine = ours.engine if isinstance(ours, GuardedEngine) else ours
    kind = type(engine).__name__
    try:
        run, shape = (_openvino if kind == "OpenVinoEngine" else _onnxruntime)(path, engine, config)
        images = np.random.default_rng(0).random(shape, np.float32)
        # Several inputs, or one of another type, show only here.
        run(images)
    except EngineError:
        raise
    except Exception as error:  # the libraries' exceptions have no common base
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EngineError(f"{path}: cannot be run ({why})") from None
    return lambda: run(images)


def _fixed(shape: list[Any], path: Path) -> list[int]:
    """The shape with a batch of 1; raises EngineError where another size is free."""
    if len(shape) != 4 or not all(isinstance(size, int) and size > 0 for size in shape[1:]):
        raise EngineError(f"{path}: its input is {shape}; export it with a fixed height and width")
    return [1, *shape[1:]]


def _onnxruntime(path: Path, ours: Any, config: EngineConfig) -> tuple[Callable[[np.ndarray], Any], list[int]]:
    import onnxruntime as ort

    from ..engines.onnxruntime_engine import session_options

    session = ort.InferenceSession(str(path), session_options(config), providers=[ours.provider])
    entry = session.get_inputs()[0]
    return lambda images: session.run(None, {entry.name: images}), _fixed(list(entry.shape), path)


def _openvino(path: Path, ours: Any, config: EngineConfig) -> tuple[Callable[[np.ndarray], Any], list[int]]:
    from ..engines.openvino_engine import the_core

    core = the_core()
    model = core.read_model(str(path))
    shape = [None if size.is_dynamic else size.get_length() for size in model.inputs[0].get_partial_shape()]
    fixed = _fixed(shape, path)
    model.reshape(fixed)
    request = core.compile_model(model, ours.device, ours.properties).create_infer_request()
    return lambda images: request.infer({0: images}, share_inputs=True), fixed
