"""Thermal-camera perception: objects and facial landmarks, as a Python library and as ROS 2 nodes.

Importing this package loads nothing heavy: torch, OpenCV and ROS are imported by the modules that need them.
"""

__version__ = "0.1.0"
