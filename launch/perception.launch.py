"""perception_node on a camera's topics: ros2 launch thermal_kd_ros perception.launch.py image:=/camera/image_raw."""

import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from thermal_kd_ros.config import ConfigError
from thermal_kd_ros.dds import dds_environment
from thermal_kd_ros.parameter_file import values_in
from thermal_kd_ros.spelling import meant

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
    "rviz": ("false", "Start RViz too; it shows the first of several cameras."),
    "frame": ("", "Frame of the images' headers, in which RViz shows; empty takes it from config/perception.rviz."),
    "log_level": ("info", "debug, info, warn or error."),
}


def given(context: LaunchContext) -> dict[str, str]:
    for name in context.launch_configurations:
        # Launch takes any name in silence, and what another launch file that includes this one has is here too.
        if name not in ARGUMENTS and (near := meant(name, ARGUMENTS)):
            get_logger(PACKAGE).warning(f"{name}:= is no argument of {Path(__file__).name}: is {near}:= meant?")
    return {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}


def switch(name: str, value: str) -> bool:
    """What an argument says that is on or off."""
    for words, on in ((("true", "1", "yes", "on"), True), (("false", "0", "no", "off"), False)):
        if value.lower() in words:
            return on
    raise RuntimeError(f"{name}:={value}: give true or false")


def clock(use_sim_time: str) -> dict[str, object]:
    """The parameter of every node that the argument asks for; empty for an empty one."""
    return {"use_sim_time": switch("use_sim_time", use_sim_time)} if use_sim_time else {}


def camera_names(cameras: str) -> list[str]:
    return [name.strip() for name in cameras.split(",") if name.strip()]


def cameras_in(params_file: str) -> list[str]:
    """The names of cameras that a file gives to the node, if any; the node says what is wrong with the file."""
    try:
        cameras = values_in(Path(params_file)).get("cameras")
    except ConfigError:
        return []
    return [str(camera) for camera in cameras if camera] if isinstance(cameras, list) else []


def start(context: LaunchContext) -> list[Node]:
    """What the arguments ask for. All of them are looked at before the first node: launch leaves those running that it
    has started before an error.
    """
    value = given(context)
    cameras = camera_names(value["cameras"]) or cameras_in(value["params_file"])
    nodes = [perception(value, cameras)]
    if switch("rviz", value["rviz"]):
        nodes.append(rviz(value, cameras))
    return nodes


def perception(value: dict[str, str], cameras: list[str]) -> Node:
    """The node; an empty argument leaves the parameter file's value alone."""
    if not Path(value["params_file"]).is_file():
        raise RuntimeError(f"params_file:={value['params_file']}: there is no such file")
    overrides = clock(value["use_sim_time"])
    if value["model"]:
        overrides["detector.model"] = value["model"]
    if value["cameras"]:
        overrides["cameras"] = cameras
    return Node(
        package=PACKAGE, executable="perception_node", name="perception_node", namespace=value["namespace"],
        parameters=[value["params_file"], *([overrides] if overrides else [])],
        remappings=remappings(cameras, value["image"], value["camera_info"]),
        ros_arguments=["--log-level", value["log_level"]],
        additional_env=dds_environment(os.environ), output="screen", emulate_tty=True,
    )


def remappings(cameras: list[str], image: str, camera_info: str) -> list[tuple[str, str]]:
    """From the node's topics to the cameras', which {camera} tells apart; the unchanged default is left as it is."""
    if not cameras:
        for name, topic in (("image", image), ("camera_info", camera_info)):
            if "{camera}" in topic:
                raise RuntimeError(f"{name}:={topic} stands for the topics of several cameras, and none is named: give "
                                   "cameras:=front,rear, or the parameter cameras in params_file")
        return [("image", image), ("camera_info", camera_info)]
    found = []
    for name, topic in (("image", image), ("camera_info", camera_info)):
        if "{camera}" in topic:
            found += [(f"{camera}/{name}", topic.replace("{camera}", camera)) for camera in cameras]
        elif topic != name:
            raise RuntimeError(f"{name}:={topic} is one topic for all of {', '.join(cameras)}: put {{camera}} into it "
                               f"where they differ, e.g. {name}:=/{{camera}}/thermal/{name}")
    return found


def rviz(value: dict[str, str], cameras: list[str]) -> Node:
    """RViz on the topics of the node, or of its first camera."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        raise RuntimeError("rviz:=true: RViz is not installed; install the package rviz2 of your ROS distribution, or "
                           "look at the results in Foxglove (config/foxglove_layout.json)") from None
    fixed_frame = ["-f", value["frame"]] if value["frame"] else []
    return Node(
        package="rviz2", executable="rviz2", name="rviz", namespace=value["namespace"],
        arguments=["-d", str(SHARE / "config" / "perception.rviz"), *fixed_frame],
        # An empty dictionary would become a file.
        parameters=[clock(value["use_sim_time"])] if value["use_sim_time"] else [],
        remappings=shown(cameras),
        additional_env=dds_environment(os.environ),
    )


def shown(cameras: list[str]) -> list[tuple[str, str]]:
    """From the absolute names in RViz's file to the topics of the first camera, in RViz's namespace."""
    topics = ("image_annotated", "markers", "landmarks")
    prefix = f"{cameras[0]}/" if cameras else ""
    return [(f"/{topic}", f"{prefix}{topic}") for topic in topics]


def generate_launch_description() -> LaunchDescription:
    declared = [DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in ARGUMENTS.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
