"""perception_node on a camera's topics: ros2 launch thermal_kd_ros perception.launch.py image:=/camera/image_raw."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from thermal_kd_ros.dds import dds_environment

PACKAGE = "thermal_kd_ros"
SHARE = Path(get_package_share_directory(PACKAGE))
ARGUMENTS = {
    "image": ("image", "Topic of the thermal images, sensor_msgs/Image."),
    "camera_info": ("camera_info", "Topic of the camera's calibration; may stay silent."),
    "params_file": (str(SHARE / "config" / "perception.yaml"), "Parameters of the node."),
    "namespace": ("", "Namespace of the node and its topics."),
    "model": ("", "Detector: a shipped model's name or a .safetensors file; empty takes it from params_file."),
    "use_sim_time": ("false", "Take the time from /clock, for simulators and recordings."),
    "rviz": ("false", "Start RViz too."),
    "log_level": ("info", "debug, info, warn or error."),
}


def perception(context: LaunchContext) -> list[Node]:
    """The node; a function, because an empty model must leave the parameter file's value alone."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    overrides = {"use_sim_time": value["use_sim_time"].lower() in ("true", "1")}
    if value["model"]:
        overrides["detector.model"] = value["model"]
    return [Node(
        package=PACKAGE, executable="perception_node", name="perception_node", namespace=value["namespace"],
        parameters=[value["params_file"], overrides],
        remappings=[("image", value["image"]), ("camera_info", value["camera_info"])],
        ros_arguments=["--log-level", value["log_level"]],
        additional_env=dds_environment(os.environ), output="screen", emulate_tty=True,
    )]


def rviz() -> Node:
    """RViz on the node's topics; its file has absolute names, which are brought into the namespace here."""
    topics = ("image_annotated", "markers", "landmarks")
    return Node(
        package="rviz2", executable="rviz2", name="rviz", namespace=LaunchConfiguration("namespace"),
        arguments=["-d", str(SHARE / "config" / "perception.rviz")],
        remappings=[(f"/{topic}", topic) for topic in topics],
        additional_env=dds_environment(os.environ), condition=IfCondition(LaunchConfiguration("rviz")),
    )


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in ARGUMENTS.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=perception), rviz()])
