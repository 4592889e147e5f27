"""The Fast DDS profile that lets large images through, and where the package's installed files are. Needs no ROS.

Fast DDS cuts images into fragments; where not all fragments of one fit into the shared-memory segment (512 KiB by
default), a best-effort subscriber loses nearly all images. It is the publisher's profile that decides.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Kilted and later read the first, and warn of the second, which Humble and Jazzy read."""

_CHOICES_OF_THE_USER = (*PROFILE_VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS")
_OLD_DISTRIBUTIONS = ("humble", "iron", "jazzy")
_BY_WHITELIST = ("humble", "iron")
_PACKAGE = "thermal_kd_ros"


def share_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """The folder with ``config/`` and ``launch/``: the checkout, or where colcon or pip installed them."""
    environ = os.environ if environ is None else environ
    here = Path(__file__).resolve().parent
    prefixes = [Path(entry) for entry in environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if entry]
    prefixes += [*here.parents, Path(sys.prefix)]
    folders = [here.parent, *(prefix / "share" / _PACKAGE for prefix in prefixes)]
    return next((folder for folder in folders if (folder / "config" / "fastdds.xml").is_file()), None)


def profile(environ: Mapping[str, str] | None = None) -> Path | None:
    """Path of the shipped Fast DDS profile; None if the package was installed without its share folder."""
    folder = share_folder(environ)
    return folder / "config" / "fastdds.xml" if folder else None


def profile_variable(environ: Mapping[str, str]) -> str:
    """The variable that names a profile to the Fast DDS of the ROS distribution in use."""
    return PROFILE_VARIABLES[environ.get("ROS_DISTRO", "") in _OLD_DISTRIBUTIONS]


def dds_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables to add to a process's environment for large images; empty where the user has chosen a transport."""
    if any(environ.get(name) for name in _CHOICES_OF_THE_USER):
        return {}
    if environ.get("ROS_DISTRO", "") in _BY_WHITELIST and environ.get("ROS_LOCALHOST_ONLY", "") == "1":
        # There it adds a transport of its own to those of a profile, whose UDP would still reach the network.
        return {}
    path = profile(environ)
    return {profile_variable(environ): str(path)} if path else {}


def remedy(environ: Mapping[str, str]) -> str:
    """What to do when frames are lost between camera and node, in one sentence."""
    reliable = "if the driver publishes reliably, set reliable_input to true here"
    middleware = environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    if "fastrtps" not in middleware:
        return f"{middleware} loses large best-effort images when its buffers are small: enlarge them; or, {reliable}"
    path = profile(environ) or "the package's config/fastdds.xml"
    return (f"Fast DDS loses best-effort images larger than its shared-memory segment: start the camera driver with "
            f"{profile_variable(environ)}={path}; or, {reliable}")
