"""A simulated thermal camera and perception_node: ros2 launch thermal_kd_ros demo.launch.py rviz:=true."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from thermal_kd_ros.dds import dds_environment
from thermal_kd_ros.spelling import meant

PACKAGE = "thermal_kd_ros"
SHARE = Path(get_package_share_directory(PACKAGE))
CAMERA = {
    "scene": ("tour", "What the camera looks at: tour, street_night, street_day, yard, indoor or aerial.", str),
    "unit": ("centikelvin", "What it puts out: centikelvin, counts14, celsius or display8.", str),
    "width": ("640", "Pixels.", int),
    "height": ("512", "Pixels.", int),
    "rate_hz": ("30.0", "Frames per second.", float),
    "seed": ("0", "Another number gives another scene.", int),
}
FORWARDED = {
    "namespace": ("", "Namespace of both nodes and their topics."),
    "rviz": ("false", "Start RViz too."),
    "model": ("", "Detector: a shipped model's name or a .safetensors or .onnx file."),
    "log_level": ("info", "debug, info, warn or error."),
}


def parameter(name: str, value: str) -> str | int | float:
    """An argument's value as the camera's parameter."""
    kind = CAMERA[name][2]
    try:
        return kind(value)
    except ValueError:
        raise RuntimeError(f"{name}:={value}: give {'a whole number' if kind is int else 'a number'}") from None


def start(context: LaunchContext) -> list[Action]:
    """Perception, then the camera; all arguments are looked at before the first node, as in perception.launch.py."""
    known = (*CAMERA, *FORWARDED)
    for name in context.launch_configurations:
        if name not in known and (near := meant(name, known)):
            get_logger(PACKAGE).warning(f"{name}:= is no argument of {Path(__file__).name}: is {near}:= meant?")
    value = {name: LaunchConfiguration(name).perform(context) for name in known}
    camera = Node(
        package=PACKAGE, executable="simulated_camera", name="simulated_camera", namespace=value["namespace"],
        parameters=[{name: parameter(name, value[name]) for name in CAMERA}],
        ros_arguments=["--log-level", value["log_level"]],
        additional_env=dds_environment(os.environ), output="screen", emulate_tty=True,
        on_exit=Shutdown(),
    )
    perception = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / "launch" / "perception.launch.py")),
        launch_arguments=[(name, value[name]) for name in FORWARDED],
    )
    return [perception, camera]


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text, *_) in {**CAMERA, **FORWARDED}.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
