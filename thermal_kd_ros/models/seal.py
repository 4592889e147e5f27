"""Add the digest of its content to a model file without one: ``python3 -m thermal_kd_ros.models.seal MODEL...``.

Nothing else in it changes. For files that are known to be whole: what they hold now counts from then on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .checkpoint import SAFETENSORS, ModelError, read, resolve, write


def seal(path: Path) -> None:
    """Write a .safetensors file anew with its digest; raises ModelError if it has one that is not right."""
    if path.suffix != SAFETENSORS:
        raise ModelError(f"{path}: only {SAFETENSORS} files are sealed; export others again from theirs")
    write(path, *read(path, sealed=False))


def main(argv: list[str] | None = None) -> int:
    """Command line; 1 if a file cannot be sealed."""
    parser = argparse.ArgumentParser(prog="python3 -m thermal_kd_ros.models.seal",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="shipped model or .safetensors file")
    try:
        for name in parser.parse_args(argv).models:
            path = resolve(name)
            seal(path)
            print(f"{path}: sealed")
    except (ModelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
