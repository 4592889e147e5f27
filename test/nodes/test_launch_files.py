"""The launch files: everywhere that they parse and name what exists; with launch installed, that they load."""

from __future__ import annotations

import ast
import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from thermal_kd_ros.config import ConfigError
from thermal_kd_ros.parameter_file import values_in

FILES = ("perception.launch.py", "demo.launch.py")


def tree(repository: Path, name: str) -> ast.Module:
    return ast.parse((repository / "launch" / name).read_text())


def constants(repository: Path, name: str) -> set[str]:
    return {node.value for node in ast.walk(tree(repository, name))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("name", FILES)
def test_they_define_a_description(repository: Path, name: str) -> None:
    functions = [node.name for node in tree(repository, name).body if isinstance(node, ast.FunctionDef)]
    assert "generate_launch_description" in functions
    assert "dds_environment" in (repository / "launch" / name).read_text()


@pytest.mark.parametrize("name", FILES)
def test_the_files_that_they_name_exist(repository: Path, name: str) -> None:
    used = [text for text in constants(repository, name)
            if text.endswith((".yaml", ".rviz", ".py")) and " " not in text]
    assert used
    for text in used:
        assert any((repository / folder / text).is_file() for folder in ("config", "launch")), text


@pytest.mark.parametrize("name", FILES)
def test_the_programs_that_they_start_are_installed(repository: Path, name: str) -> None:
    programs = {keyword.value.value for node in ast.walk(tree(repository, name)) if isinstance(node, ast.Call)
                for keyword in node.keywords if keyword.arg == "executable" and isinstance(keyword.value, ast.Constant)}
    assert programs
    scripts = (repository / "setup.py").read_text()
    for program in programs - {"rviz2"}:
        assert f"{program} = " in scripts


def test_the_camera_arguments_are_its_parameters(repository: Path) -> None:
    import dataclasses

    from thermal_kd_ros.simulation.config import SimulationConfig

    table = next(node.value for node in tree(repository, "demo.launch.py").body
                 if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
                 and node.targets[0].id == "CAMERA")
    assert isinstance(table, ast.Dict)
    names = {key.value for key in table.keys if isinstance(key, ast.Constant)}
    assert names <= {item.name for item in dataclasses.fields(SimulationConfig)}


def function_of(repository: Path, name: str, file: str = "perception.launch.py", **scope: Any) -> Any:
    """A function of a launch file alone, with what it uses: the file needs launch to be imported whole."""
    function = next(node for node in tree(repository, file).body
                    if isinstance(node, ast.FunctionDef) and node.name == name)
    exec(compile(ast.Module([function], []), file, "exec"), scope)  # our own source
    return scope[name]


def test_rviz_shows_the_first_camera(repository: Path) -> None:
    names, shown = function_of(repository, "camera_names"), function_of(repository, "shown")
    assert names("front, arm/left,") == ["front", "arm/left"] and names("") == []
    assert shown(names("front,rear")) == [(f"/{topic}", f"front/{topic}")
                                          for topic in ("image_annotated", "markers", "landmarks")]
    assert shown([])[0] == ("/image_annotated", "image_annotated")


def test_rviz_is_given_the_frame_that_was_asked_for(repository: Path) -> None:
    shown = function_of(repository, "shown")
    clock = function_of(repository, "clock", switch=function_of(repository, "switch"))
    parts = {"shown": shown, "clock": clock, "Node": dict, "SHARE": Path("s"),
             "dds_environment": dict, "os": os, "PackageNotFoundError": KeyError}

    def started(frame: str, use_sim_time: str = "") -> dict[str, Any]:
        given = {"frame": frame, "namespace": "robot", "use_sim_time": use_sim_time}
        return function_of(repository, "rviz", **parts, get_package_prefix=str)(given, ["front", "rear"])

    plain = started("")
    assert plain["arguments"] == ["-d", str(Path("s/config/perception.rviz"))] and plain["namespace"] == "robot"
    assert plain["parameters"] == [] and started("", "true")["parameters"] == [{"use_sim_time": True}]
    assert plain["remappings"] == shown(["front", "rear"])
    assert started("lens")["arguments"] == [*plain["arguments"], "-f", "lens"]
    with pytest.raises(RuntimeError, match="RViz is not installed; install the package rviz2"):
        function_of(repository, "rviz", **parts, get_package_prefix={}.__getitem__)({}, [])


def test_the_topics_of_several_cameras_are_told_apart(repository: Path) -> None:
    remappings = function_of(repository, "remappings")
    assert remappings([], "/cam/image", "camera_info") == [("image", "/cam/image"), ("camera_info", "camera_info")]
    assert remappings(["a", "b"], "image", "camera_info") == []
    assert remappings(["a", "b"], "/{camera}/raw", "camera_info") == [("a/image", "/a/raw"), ("b/image", "/b/raw")]
    with pytest.raises(RuntimeError, match="image:=/cam/image is one topic for all of a, b"):
        remappings(["a", "b"], "/cam/image", "camera_info")
    with pytest.raises(RuntimeError, match="image:=/{camera}/raw stands for .* none is named: give cameras:="):
        remappings([], "/{camera}/raw", "camera_info")


@pytest.mark.parametrize(("text", "found"), [
    ("/**:\n  ros__parameters:\n    cameras: [front, rear]\n", ["front", "rear"]),
    ("robot:\n  perception_node:\n    ros__parameters: {cameras: [a]}\n", ["a"]),
    ("/perception_node: {ros__parameters: {cameras: ['']}}\n", []),
    ("other_node: {ros__parameters: {cameras: [a]}}\n", []),
    ("perception_node: {ros__parameters: 3}\n", []), ("[1]", []), ("a: [", []), (None, [])])
def test_cameras_that_a_file_names_are_known_to_the_launch_file(repository: Path, tmp_path: Path, text: str | None,
                                                                found: list[str]) -> None:
    path = tmp_path / "p.yaml"
    if text is not None:
        path.write_text(text)
    cameras_in = function_of(repository, "cameras_in", values_in=values_in, ConfigError=ConfigError, Path=Path)
    assert cameras_in(str(path)) == found


def test_words_for_on_and_off_are_understood_or_refused(repository: Path) -> None:
    switch = function_of(repository, "switch")
    assert all(switch("a", word) for word in ("true", "True", "1", "yes", "on"))
    assert not any(switch("a", word) for word in ("false", "0", "No", "off"))
    with pytest.raises(RuntimeError, match="use_sim_time:=maybe: give true or false"):
        switch("use_sim_time", "maybe")


def test_no_file_of_parameters_is_given_without_any(repository: Path, tmp_path: Path) -> None:
    params_file = tmp_path / "p.yaml"
    values = dict.fromkeys(("model", "cameras", "namespace", "use_sim_time"), "") | {
        "params_file": str(params_file), "image": "image", "camera_info": "camera_info", "log_level": "info"}
    parts = {"remappings": function_of(repository, "remappings")}
    parts["clock"] = function_of(repository, "clock", switch=function_of(repository, "switch"))
    params_file.touch()

    def started(*cameras: str, **given: str) -> dict[str, Any]:
        return function_of(repository, "perception", **parts, Node=dict, PACKAGE="p", Path=Path, dds_environment=dict,
                           os=os)(values | given, list(cameras))

    assert started()["parameters"] == [str(params_file)]
    assert started(use_sim_time="on")["parameters"] == [str(params_file), {"use_sim_time": True}]
    several = started("a", "b", image="/{camera}/raw")  # as the file names them
    assert several["parameters"] == [str(params_file)]
    assert started("a", "b", cameras="a,b")["parameters"] == [str(params_file), {"cameras": ["a", "b"]}]
    assert several["remappings"] == [("a/image", "/a/raw"), ("b/image", "/b/raw")]
    with pytest.raises(RuntimeError, match="params_file:=nowhere.yaml: there is no such file"):
        started(params_file="nowhere.yaml")


def test_values_of_the_camera_are_understood_or_refused(repository: Path) -> None:
    kinds = {"scene": ("", "", str), "width": ("", "", int), "rate_hz": ("", "", float)}
    parameter = function_of(repository, "parameter", file="demo.launch.py", CAMERA=kinds)
    assert parameter("scene", "7") == "7" and parameter("width", "320") == 320
    assert isinstance(parameter("rate_hz", "30"), float)
    for name, value, wanted in (("width", "abc", "a whole number"), ("width", "3.5", "a whole number"),
                                ("rate_hz", "thirty", "a number")):
        with pytest.raises(RuntimeError, match=f"{name}:={value}: give {wanted}"):
            parameter(name, value)


TABLES = {"perception.launch.py": ("ARGUMENTS",), "demo.launch.py": ("CAMERA", "FORWARDED")}
"""Dictionaries whose keys are a launch file's arguments."""


def calls(repository: Path, name: str, function: str) -> list[ast.Call]:
    """Calls of a function by its plain name."""
    return [node for node in ast.walk(tree(repository, name))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function]


def table(repository: Path, name: str, variable: str) -> dict[str, ast.expr]:
    """Keys and values of a dictionary at the top of a launch file."""
    found = next(node.value for node in tree(repository, name).body if isinstance(node, ast.Assign)
                 and isinstance(node.targets[0], ast.Name) and node.targets[0].id == variable)
    assert isinstance(found, ast.Dict)
    return {key.value: value for key, value in zip(found.keys, found.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def arguments(repository: Path, name: str) -> set[str]:
    return {key for variable in TABLES[name] for key in table(repository, name, variable)}


def literals(node: ast.AST) -> set[str]:
    return {leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)}


@pytest.mark.parametrize("name", FILES)
def test_every_argument_that_is_read_is_declared(repository: Path, name: str) -> None:
    read = {text for call in calls(repository, name, "LaunchConfiguration") for text in literals(call)}
    read |= {text for node in ast.walk(tree(repository, name)) if isinstance(node, ast.Subscript)
             and isinstance(node.value, ast.Name) and node.value.id == "value" for text in literals(node.slice)}
    assert read and read <= arguments(repository, name)
    declared = calls(repository, name, "DeclareLaunchArgument")
    assert len(declared) == 1 and {keyword.arg for keyword in declared[0].keywords} == {"default_value", "description"}
    # All tables are declared, not only some of them.
    text = (repository / "launch" / name).read_text().partition("declared = ")[2].partition("\n    ]")[0]
    assert all(variable in text for variable in TABLES[name])


def test_what_the_demo_forwards_is_an_argument_of_what_it_includes(repository: Path) -> None:
    assert set(table(repository, "demo.launch.py", "FORWARDED")) <= arguments(repository, "perception.launch.py")
    own = table(repository, "demo.launch.py", "CAMERA").keys() & table(repository, "demo.launch.py", "FORWARDED").keys()
    assert not own


def test_the_camera_arguments_have_their_parameters_types(repository: Path) -> None:
    import dataclasses

    from thermal_kd_ros.simulation.config import SimulationConfig

    types = {item.name: type(item.default).__name__ for item in dataclasses.fields(SimulationConfig)}
    for name, entry in table(repository, "demo.launch.py", "CAMERA").items():
        assert isinstance(entry, ast.Tuple) and isinstance(entry.elts[0], ast.Constant)
        kind = entry.elts[2]
        assert isinstance(kind, ast.Name) and kind.id == types[name], name
        default = {"str": str, "int": int, "float": float}[kind.id](entry.elts[0].value)
        SimulationConfig(**{name: default})


def test_parameters_that_are_set_are_the_node_s(repository: Path) -> None:
    from thermal_kd_ros.config import NodeConfig, PerceptionConfig, parameters

    known = {name for config in (NodeConfig(), PerceptionConfig()) for name, *_ in parameters(config)}
    function = next(node for node in tree(repository, "perception.launch.py").body
                    if isinstance(node, ast.FunctionDef) and node.name == "perception")
    set_here = {text for node in ast.walk(function) if isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Name) and node.value.id == "overrides" for text in literals(node.slice)}
    set_here |= {key.value for node in ast.walk(function) if isinstance(node, ast.Assign)
                 and isinstance(node.value, ast.Dict) for key in node.value.keys if isinstance(key, ast.Constant)}
    assert set_here - {"use_sim_time"} and set_here - {"use_sim_time"} <= known


def test_topics_that_are_renamed_exist(repository: Path) -> None:
    nodes = repository / "thermal_kd_ros" / "nodes"
    programs = ast.parse("\n".join(path.read_text().replace("from __future__ import annotations", "")
                                   for path in sorted(nodes.glob("*.py"))))
    topics = literals(programs)
    renamed = {ours for ours, _ in function_of(repository, "remappings")([], "/cam/image", "/cam/info")}
    assert renamed == {"image", "camera_info"} and renamed <= topics
    rviz = (repository / "config" / "perception.rviz").read_text()
    shown = function_of(repository, "shown")([])
    assert shown and {topic for _, topic in shown} <= topics
    for absolute, _ in shown:
        assert absolute in rviz


NODE_ARGUMENTS = {"package", "executable", "name", "namespace", "parameters", "remappings", "ros_arguments",
                  "arguments", "additional_env", "output", "emulate_tty", "on_exit"}
"""Of launch_ros.actions.Node and what it inherits from ExecuteLocal and Action, as their documentation has them."""


@pytest.mark.parametrize("name", FILES)
def test_actions_are_called_with_arguments_that_they_have(repository: Path, name: str) -> None:
    nodes = calls(repository, name, "Node")
    assert nodes
    for call in nodes:
        assert not call.args and {keyword.arg for keyword in call.keywords} <= NODE_ARGUMENTS
    imported = {alias.name for node in tree(repository, name).body if isinstance(node, ast.ImportFrom)
                for alias in node.names}
    used = {node.id for node in ast.walk(tree(repository, name)) if isinstance(node, ast.Name)}
    assert imported <= used


@pytest.mark.ros
@pytest.mark.parametrize("name", FILES)
def test_they_load(repository: Path, name: str) -> None:
    for module in ("launch", "launch_ros", "ament_index_python"):
        pytest.importorskip(module)
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
    from launch import LaunchDescription

    try:
        get_package_share_directory("thermal_kd_ros")
    except PackageNotFoundError:
        pytest.skip("the package is not installed in a sourced workspace")
    spec = importlib.util.spec_from_file_location("launch_file", repository / "launch" / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert isinstance(module.generate_launch_description(), LaunchDescription)
