"""The Fast DDS profile and who gets it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from thermal_kd_ros.dds import PROFILE_VARIABLES, dds_environment, profile, remedy, share_folder

LARGEST_IMAGE = 1280 * 1024 * 2


@pytest.mark.parametrize(("distribution", "variable"), [
    ("", "FASTDDS_DEFAULT_PROFILES_FILE"), ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"),
    ("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"), ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE")])
def test_profile_is_given_to_a_process_without_one(repository: Path, distribution: str, variable: str) -> None:
    assert dds_environment({"ROS_DISTRO": distribution}) == {variable: str(repository / "config" / "fastdds.xml")}


@pytest.mark.parametrize("name", [*PROFILE_VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS"])
def test_what_the_user_chose_is_left_alone(name: str) -> None:
    assert dds_environment({name: "something"}) == {}
    assert dds_environment({name: ""})


def test_who_keeps_humble_to_one_machine_gets_no_profile_that_reaches_the_network() -> None:
    assert dds_environment({"ROS_DISTRO": "humble", "ROS_LOCALHOST_ONLY": "1"}) == {}
    assert dds_environment({"ROS_DISTRO": "humble", "ROS_LOCALHOST_ONLY": "0"})
    assert dds_environment({"ROS_DISTRO": "jazzy", "ROS_LOCALHOST_ONLY": "1"})


def test_the_profile_holds_large_images(repository: Path) -> None:
    path = profile({})
    assert path == repository / "config" / "fastdds.xml"
    root = ElementTree.parse(path).getroot()
    text = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    assert int(text["segment_size"] or 0) >= 4 * LARGEST_IMAGE
    participants = [e for e in root.iter() if e.tag.endswith("participant")]
    assert [p.get("is_default_profile") for p in participants] == ["true"]


def test_the_share_folder_of_an_installed_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import thermal_kd_ros.dds as dds

    package = tmp_path / "lib" / "python3.11" / "site-packages" / "thermal_kd_ros"
    share = tmp_path / "share" / "thermal_kd_ros"
    (share / "config").mkdir(parents=True)
    (share / "config" / "fastdds.xml").write_text("<dds/>")
    monkeypatch.setattr(dds, "__file__", str(package / "dds.py"))
    assert share_folder({}) == share
    monkeypatch.setattr(dds, "__file__", "/nowhere/thermal_kd_ros/dds.py")
    assert share_folder({"AMENT_PREFIX_PATH": f"/opt/other:{tmp_path}"}) == share


def test_the_remedy_names_variable_file_and_parameter() -> None:
    text = remedy({})
    for part in ("FASTDDS_DEFAULT_PROFILES_FILE=", "fastdds.xml", "reliable_input"):
        assert part in text
    other = remedy({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"})
    assert "rmw_cyclonedds_cpp" in other and "fastdds.xml" not in other
