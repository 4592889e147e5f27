"""The whole path from raw frames to boxes and landmarks as torch tensor operations.

The same steps as the pipeline takes in NumPy and OpenCV, made for a CUDA device: shapes are fixed, nothing asks the
device for a value in between, so everything can be captured in CUDA graphs. It runs on the CPU too, where the tests
hold it against the NumPy steps.
"""
