"""What package.xml and setup.py promise is what the package holds."""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "thermal_kd_ros"

# What is imported under a name that is not its rosdep key. None: no rosdep key on every distribution; the README says
# how to install it. Any other module from outside must stand in package.xml under its own name.
ROSDEP_KEYS = {
    "numpy": "python3-numpy",
    "cv2": "python3-opencv",
    "yaml": "python3-yaml",
    "torch": None,
    "torchvision": None,
    "safetensors": None,
    "onnx": None,
    "onnxruntime": None,
    "openvino": None,
    "tensorrt": None,
    "matplotlib": None,
    "mcap": None,
    "mcap_ros2": None,
    "pycocotools": None,
    "rosbags": None,
    "tqdm": None,
    "hri_msgs": None,  # publish_ros4hri says where it is missing
    "hypothesis": "python3-hypothesis",
    "pytest": "python3-pytest",
}


@pytest.fixture(scope="module")
def manifest(repository: Path) -> ElementTree.Element:
    return ElementTree.parse(repository / "package.xml").getroot()


def imported_modules(root: Path, folders: list[str]) -> dict[str, Path]:
    """Top-level modules that the Python files under `folders` import, each with one file that does."""
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted((root / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            found.update({name.partition(".")[0]: path.relative_to(root) for name in names})
    return found


def test_manifest_is_well_formed(manifest: ElementTree.Element) -> None:
    assert manifest.tag == "package" and manifest.get("format") == "3"
    for tag in ("name", "version", "description", "maintainer", "license"):
        assert (manifest.findtext(tag) or "").strip(), f"package.xml has no {tag}"
    assert manifest.findtext("name") == PACKAGE
    assert manifest.findtext("export/build_type") == "ament_python"
    names = [element.text for element in manifest if element.tag.endswith("depend")]
    assert len(names) == len(set(names)), "a dependency is declared twice"


@pytest.mark.ros
def test_manifest_satisfies_the_build_tools(repository: Path) -> None:
    """The parser that colcon, bloom and rosdep use accepts it, without warnings."""
    catkin_pkg = pytest.importorskip("catkin_pkg.package")
    warnings: list[str] = []
    package = catkin_pkg.parse_package(str(repository), warnings=warnings)
    package.validate(warnings=warnings)
    assert not warnings


def test_imports_are_declared(repository: Path, manifest: ElementTree.Element) -> None:
    declared = {element.text for element in manifest if element.tag in ("depend", "exec_depend")}
    own = {PACKAGE, *sys.stdlib_module_names}
    for module, path in imported_modules(repository, [PACKAGE, "launch"]).items():
        key = ROSDEP_KEYS.get(module, module)
        assert module in own or key is None or key in declared, (
            f"{path} imports {module}: declare {key} in package.xml, or name its rosdep key in this test"
        )


def test_what_all_tests_import_is_declared(repository: Path, manifest: ElementTree.Element) -> None:
    """Where only what package.xml names is installed, colcon test collects: tests skip without what else they need."""
    declared = {element.text for element in manifest if element.tag.endswith("depend")}
    for path in sorted((repository / "test").rglob("conftest.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:  # inside functions it may come after a skip
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for module in (name.partition(".")[0] for name in names):
                key = ROSDEP_KEYS.get(module, module)
                assert module in {PACKAGE, "test", *sys.stdlib_module_names} or key in declared, (path, module)


def test_one_version(repository: Path, manifest: ElementTree.Element) -> None:
    import thermal_kd_ros

    assert manifest.findtext("version") == thermal_kd_ros.__version__ == distribution(repository)["version"]


def test_launch_and_config_files_are_installed(repository: Path) -> None:
    """Every file under launch/ and config/ goes to the same place below the share folder."""
    wanted = {
        path.relative_to(repository).as_posix()
        for folder in ("launch", "config")
        for path in (repository / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    placed = dict(flat(distribution(repository)["data_files"]))
    assert wanted <= set(placed), "setup.py leaves files out"
    for path in wanted:
        assert placed[path] == f"share/{PACKAGE}/{Path(path).parent.as_posix()}"
    assert placed["package.xml"] == f"share/{PACKAGE}"
    assert placed[f"resource/{PACKAGE}"] == "share/ament_index/resource_index/packages"


def test_every_folder_of_the_package_is_installed(repository: Path) -> None:
    packages = set(distribution(repository)["packages"])
    for path in (repository / PACKAGE).rglob("*.py"):
        assert ".".join(path.relative_to(repository).parent.parts) in packages, f"{path.parent} has no __init__.py"


@pytest.mark.parametrize("missing", ["tqdm", "pycocotools", "onnxscript"])
def test_export_names_every_package_that_it_needs(repository: Path, missing: str, monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    from thermal_kd_ros.cli import export
    from thermal_kd_ros.models.checkpoint import resolve

    def fail(*_: object) -> None:
        raise ModuleNotFoundError(f"No module named '{missing}'", name=missing)

    monkeypatch.setattr(export, "_export", fail)
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    assert export.run(parser.parse_args([str(resolve("landmarks_light"))])) == 1
    said = capsys.readouterr().err
    assert f"{missing} is not installed" in said
    named = set(said.rpartition("pip install ")[2].split())
    assert missing in named
    wanted = {text.partition(">")[0] for text in distribution(repository)["extras"]["export"]}
    assert named == wanted - {"torch", "torchvision"}


def flat(data_files: list[tuple[str, list[str]]]) -> Iterator[tuple[str, str]]:
    """The data files as pairs of file and destination folder."""
    for destination, files in data_files:
        for path in files:
            yield path, destination


def distribution(repository: Path) -> dict:
    """What setup.py declares, from running it without building anything."""
    program = (
        "import json; from distutils.core import run_setup; d = run_setup('setup.py', stop_after='init'); "
        "print(json.dumps({'version': d.metadata.version, 'data_files': d.data_files, 'packages': d.packages, "
        "'extras': {name: list(needed) for name, needed in d.extras_require.items()}}))"
    )
    command = [sys.executable, "-c", "import setuptools; " + program]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])
