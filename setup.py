"""How thermal_kd_ros is installed, by colcon (ament_python) and by pip alike."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "thermal_kd_ros"
HERE = Path(__file__).resolve().parent


def files_under(folder: str) -> list[Path]:
    """The files below `folder`, relative to this one, without byte code."""
    found = (path.relative_to(HERE) for path in sorted((HERE / folder).rglob("*")) if path.is_file())
    return [path for path in found if "__pycache__" not in path.parts]


def shared_files(*folders: str) -> list[tuple[str, list[str]]]:
    """Every file under `folders`, with the place below the prefix where ROS looks for it."""
    placed: dict[str, list[str]] = {}
    for path in (path for folder in folders for path in files_under(folder)):
        placed.setdefault(f"share/{PACKAGE}/{path.parent.as_posix()}", []).append(path.as_posix())
    return sorted(placed.items())


def package_files() -> list[str]:
    """What lies in the package besides code, such as the shipped weights."""
    return [path.relative_to(PACKAGE).as_posix() for path in files_under(PACKAGE) if path.suffix != ".py"]


def version() -> str:
    """The version written in the package itself, read without importing it."""
    lines = (HERE / PACKAGE / "__init__.py").read_text(encoding="utf-8").splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("__version__"))


TORCH = ["torch>=2.4", "torchvision>=0.19"]
EVALUATION = ["matplotlib", "mcap", "pycocotools", "rosbags", "tqdm"]

setup(
    name=PACKAGE,
    version=version(),
    description="Thermal-camera object and facial-landmark perception for ROS 2",
    long_description="Thermal-camera perception for ROS 2: a detector and facial landmarks, small enough for a robot.",
    author="thermal_kd_ros maintainers",
    maintainer="thermal_kd_ros maintainers",
    maintainer_email="maintainers@example.com",
    license="Apache-2.0",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: package_files()},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *shared_files("launch", "config"),
    ],
    python_requires=">=3.10",
    # OpenCV is not listed: ROS brings it as python3-opencv, which pip does not see and would install a second time.
    install_requires=["setuptools", "numpy", "PyYAML", "safetensors"],
    extras_require={
        "torch": TORCH,
        "opencv": ["opencv-python-headless"],
        "cpu": ["openvino"],
        "onnx": ["onnx", "onnxruntime"],
        "export": [*TORCH, "onnx", "onnxruntime", "onnxscript", "pycocotools", "tqdm"],
        "evaluation": EVALUATION,
        "train": [*TORCH, *EVALUATION],
        "test": ["hypothesis", "mcap-ros2-support", "mypy", "pytest", "pytest-timeout", "ruff"],
    },
    zip_safe=False,
    entry_points={
        "console_scripts": [
            f"perception_node = {PACKAGE}.nodes.perception:main",
            f"simulated_camera = {PACKAGE}.nodes.simulated_camera:main",
            f"{PACKAGE} = {PACKAGE}.__main__:main",
        ],
    },
)
