"""What to do where a package that this one needs is missing."""

from __future__ import annotations

_INSTALLED_AS = {"cv2": "opencv-python-headless", "yaml": "PyYAML"}
"""What pip installs a module by, where that is another name."""


def not_installed(error: ImportError) -> str:
    """Which package could not be imported, and how to get it.

    Raises the error again if it is one of this package's own modules that is not there: that is no package to install.
    """
    module = (error.name or "").partition(".")[0]
    if module in ("", "thermal_kd_ros", "training"):
        raise error
    package = _INSTALLED_AS.get(module, module)
    if not isinstance(error, ModuleNotFoundError):
        return f"{module} cannot be imported ({error}); install it again with: python3 -m pip install {package}"
    return (f"{module} is not installed; install it with: python3 -m pip install {package} (in a checkout 'make setup' "
            "installs all that is needed, for .venv/bin/python)")
