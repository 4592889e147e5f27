"""A simulated thermal camera and perception_node: ros2 launch thermal_kd_ros demo.launch.py rviz:=true."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from thermal_kd_ros.dds import dds_environment

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


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text, *_) in {**CAMERA, **FORWARDED}.items()]
    camera = Node(
        package=PACKAGE, executable="simulated_camera", name="simulated_camera",
        namespace=LaunchConfiguration("namespace"),
        parameters=[{name: ParameterValue(LaunchConfiguration(name), value_type=kind)
                     for name, (_, _, kind) in CAMERA.items()}],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        additional_env=dds_environment(os.environ), output="screen", emulate_tty=True,
    )
    perception = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / "launch" / "perception.launch.py")),
        launch_arguments={name: LaunchConfiguration(name) for name in FORWARDED}.items(),
    )
    return LaunchDescription([*declared, camera, perception])
