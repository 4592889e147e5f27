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
    "cameras": ("", "Names of several cameras with commas between, e.g. front,rear; {camera} in image and camera_info "
                "stands for each, e.g. image:=/{camera}/thermal/image_raw. Empty takes them from params_file."),
    "params_file": (str(SHARE / "config" / "perception.yaml"), "Parameters of the node."),
    "namespace": ("", "Namespace of the node and its topics."),
    "model": ("", "Detector: a shipped model's name or a .safetensors or .onnx file; empty takes it from params_file."),
    "use_sim_time": ("", "true takes the time from /clock, for simulators and recordings; empty takes it from "
                     "params_file."),
    "rviz": ("false", "Start RViz too; it shows the first of the argument cameras."),
    "frame": ("", "Frame of the images' headers, in which RViz shows; empty takes it from config/perception.rviz."),
    "log_level": ("info", "debug, info, warn or error."),
}


def given(context: LaunchContext) -> dict[str, str]:
    return {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}


def switch(name: str, value: str) -> bool:
    """What an argument says that is on or off."""
    for words, on in ((("true", "1", "yes", "on"), True), (("false", "0", "no", "off"), False)):
        if value.lower() in words:
            return on
    raise RuntimeError(f"{name}:={value}: give true or false")


def camera_names(cameras: str) -> list[str]:
    return [name.strip() for name in cameras.split(",") if name.strip()]


def perception(context: LaunchContext) -> list[Node]:
    """The node; a function, because an empty argument must leave the parameter file's value alone."""
    value = given(context)
    overrides = {}
    if value["use_sim_time"]:
        overrides["use_sim_time"] = switch("use_sim_time", value["use_sim_time"])
    if value["model"]:
        overrides["detector.model"] = value["model"]
    cameras = camera_names(value["cameras"])
    if cameras:
        overrides["cameras"] = cameras
    return [Node(
        package=PACKAGE, executable="perception_node", name="perception_node", namespace=value["namespace"],
        parameters=[value["params_file"], *([overrides] if overrides else [])],
        remappings=remappings(cameras, value["image"], value["camera_info"]),
        ros_arguments=["--log-level", value["log_level"]],
        additional_env=dds_environment(os.environ), output="screen", emulate_tty=True,
    )]


def remappings(cameras: list[str], image: str, camera_info: str) -> list[tuple[str, str]]:
    """From the node's topics to the cameras', which {camera} tells apart; the unchanged default is left as it is."""
    if not cameras:
        return [("image", image), ("camera_info", camera_info)]
    found = []
    for name, topic in (("image", image), ("camera_info", camera_info)):
        if "{camera}" in topic:
            found += [(f"{camera}/{name}", topic.replace("{camera}", camera)) for camera in cameras]
        elif topic != name:
            raise RuntimeError(f"{name}:={topic} is one topic for all of {', '.join(cameras)}: put {{camera}} into it "
                               f"where they differ, e.g. {name}:=/{{camera}}/thermal/{name}")
    return found


def rviz(context: LaunchContext) -> list[Node]:
    """RViz on the topics of the node, or of its first camera."""
    value = given(context)
    fixed_frame = ["-f", value["frame"]] if value["frame"] else []
    return [Node(
        package="rviz2", executable="rviz2", name="rviz", namespace=value["namespace"],
        arguments=["-d", str(SHARE / "config" / "perception.rviz"), *fixed_frame],
        remappings=shown(camera_names(value["cameras"])),
        additional_env=dds_environment(os.environ), condition=IfCondition(value["rviz"]),
    )]


def shown(cameras: list[str]) -> list[tuple[str, str]]:
    """From the absolute names in RViz's file to the topics of the first camera, in RViz's namespace."""
    topics = ("image_annotated", "markers", "landmarks")
    prefix = f"{cameras[0]}/" if cameras else ""
    return [(f"/{topic}", f"{prefix}{topic}") for topic in topics]


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in ARGUMENTS.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=perception), OpaqueFunction(function=rviz)])
