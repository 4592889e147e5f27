"""The sub-commands of ``python3 -m thermal_kd_ros``: each has HELP, add_arguments and run."""
