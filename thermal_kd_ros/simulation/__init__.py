"""A simulated thermal camera: procedural people, vehicles and scenes in °C, optics and sensor, and the exact truth.

raster, mesh, noise        drawing and building triangle meshes
head, head_heat, head_wear, portrait   a parametric head, its 54 landmarks, its temperatures
people, vehicles, surroundings, ground, climate   what scenes are made of
actors, scene, render, truth            a scene with a clock, and what is known about it
casting, streets, indoor, aerial, recipes   random scenes of every kind
config, camera, random_frames, sheet    the camera, training frames, pictures to look at
"""

from thermal_kd_ros.simulation.camera import CameraModel, SimulatedCamera, decode, encode
from thermal_kd_ros.simulation.config import KINDS, UNITS, SimulationConfig
from thermal_kd_ros.simulation.random_frames import random_scene_frame
from thermal_kd_ros.simulation.truth import SimulatedFace, SimulatedFrame

__all__ = [
    "KINDS",
    "UNITS",
    "CameraModel",
    "SimulatedCamera",
    "SimulatedFace",
    "SimulatedFrame",
    "SimulationConfig",
    "decode",
    "encode",
    "random_scene_frame",
]
