# Every target first brings the environment up to date, which takes no time when it already is.
#   make demo | test | bench | lint | setup      ARGS="..." is passed on: make test ARGS="-k letterbox"
#   make demo BAG=recording.mcap | IMAGES=folder      plays that instead of a rendered recording
#   make demo installs PyTorch only where an NVIDIA GPU is; the others install everything.
#   VENV=/path/to/folder puts the environment elsewhere (default: .venv)

PYTHON3 ?= python3
VENV ?= .venv
ARGS ?=
PURPOSE = test

.PHONY: help demo test bench lint setup
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#  *make/make/p' Makefile

demo: PURPOSE = demo
demo: setup
	"$(VENV)/bin/python" -m thermal_kd_ros demo $(if $(BAG),--bag "$(BAG)") $(if $(IMAGES),--images "$(IMAGES)") $(ARGS)

test: setup
	"$(VENV)/bin/python" -m pytest test $(ARGS)

bench: setup
	"$(VENV)/bin/python" -m thermal_kd_ros benchmark $(ARGS)

lint: setup
	"$(VENV)/bin/python" -m ruff check .
	"$(VENV)/bin/python" -m mypy thermal_kd_ros training

setup:
	@"$(PYTHON3)" tools/setup_env.py --venv "$(VENV)" --for $(PURPOSE)
