"""Networks of others as ONNX files, timed as ours are: same library, same settings, same machine, same run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..config import EngineConfig
from ..engines.errors import EngineError


def peer_runner(path: Path, backend: str, config: EngineConfig) -> Callable[[], Any]:
    """A call that runs the network of a file once on noise, at the batch size 1; raises EngineError."""
    try:
        run, shape = (_openvino if backend == "openvino" else _onnxruntime)(path, config)
    except EngineError:
        raise
    except ImportError as error:
        raise EngineError(f"{backend} is not installed ({error})") from None
    except Exception as error:  # the libraries' exceptions have no common base
        raise EngineError(f"{path}: {backend} cannot load it ({str(error).strip().splitlines()[0]})") from None
    images = np.random.default_rng(0).random(shape, np.float32)
    return lambda: run(images)


def _fixed(shape: list[Any], path: Path) -> list[int]:
    """The shape with a batch of 1; raises EngineError where another size is free."""
    if len(shape) != 4 or not all(isinstance(size, int) and size > 0 for size in shape[1:]):
        raise EngineError(f"{path}: its input is {shape}; export it with a fixed height and width")
    return [1, *shape[1:]]


def _onnxruntime(path: Path, config: EngineConfig) -> tuple[Callable[[np.ndarray], Any], list[int]]:
    import onnxruntime as ort

    from ..engines.onnxruntime_engine import choose_providers, session_options

    providers = choose_providers(ort.get_available_providers(), config.device)
    session = ort.InferenceSession(str(path), session_options(config), providers=providers)
    entry = session.get_inputs()[0]
    return lambda images: session.run(None, {entry.name: images}), _fixed(list(entry.shape), path)


def _openvino(path: Path, config: EngineConfig) -> tuple[Callable[[np.ndarray], Any], list[int]]:
    import openvino as ov

    from ..engines.openvino_engine import choose_device, choose_precision, latency_properties

    core = ov.Core()
    device = choose_device(core, config.device)
    precision = choose_precision(core, device, config.precision, "detection")
    model = core.read_model(str(path))
    shape = [None if size.is_dynamic else size.get_length() for size in model.inputs[0].get_partial_shape()]
    fixed = _fixed(shape, path)
    model.reshape(fixed)
    request = core.compile_model(model, device, latency_properties(precision, device, config)).create_infer_request()
    return lambda images: request.infer({0: images}, share_inputs=True), fixed
