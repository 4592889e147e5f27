"""The launch files: everywhere that they parse and name what exists; with launch installed, that they load."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest

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


def test_the_topics_of_several_cameras_are_told_apart(repository: Path) -> None:
    # The function alone: the file itself can be imported only where launch is installed.
    function = next(node for node in tree(repository, "perception.launch.py").body
                    if isinstance(node, ast.FunctionDef) and node.name == "remappings")
    scope: dict[str, Any] = {}
    exec(compile(ast.Module([function], []), "perception.launch.py", "exec"), scope)  # our own source
    remappings = scope["remappings"]
    assert remappings([], "/cam/image", "camera_info") == [("image", "/cam/image"), ("camera_info", "camera_info")]
    assert remappings(["a", "b"], "image", "camera_info") == []
    assert remappings(["a", "b"], "/{camera}/raw", "camera_info") == [("a/image", "/a/raw"), ("b/image", "/b/raw")]
    with pytest.raises(RuntimeError, match="image:=/cam/image is one topic for all of a, b"):
        remappings(["a", "b"], "/cam/image", "camera_info")


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
