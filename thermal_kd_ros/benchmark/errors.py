"""What can go wrong with a benchmark. Needs no ROS."""


class BenchmarkError(RuntimeError):
    """A measurement cannot be made; the message says why and what to do."""
