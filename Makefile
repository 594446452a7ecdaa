# make demo             the main job on a shipped sample, pictures in demo-output/; opens napari where there is a display
# make app              napari with the same sample
# make test             all tests, doctests and examples of the documentation
# make lint             style, types and import contracts
# make test-minimum     the tests with the oldest dependencies that pyproject.toml allows
# make system-packages  Xvfb and the libraries of Qt, through apt-get (Debian, Ubuntu); asks sudo where it has to
# Everything but system-packages stays inside .venv. QT=PySide6 tests with the other Qt, PYTHON=python3.13 with another Python,
# NAPARI="napari @ git+https://github.com/napari/napari.git" with another napari.

SHELL := bash
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
SAMPLE ?= alloy
OUTPUT ?= demo-output
QT ?= PyQt6
NAPARI ?= napari
# More workers than this gain little: each of them imports PyTorch and napari.
WORKERS ?= 2

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip
INSTALL := $(PIP) install --retries 10 --timeout 120
QT_LIBRARY := $(if $(filter PySide6,$(QT)),PySide6>=6.8,PyQt6>=6.8)
QT_CHOICE := QT_API=$(shell echo $(QT) | tr A-Z a-z) PYTEST_QT_API=$(shell echo $(QT) | tr A-Z a-z)
PYTEST := -m pytest --numprocesses $(WORKERS) --dist worksteal
# macOS and Windows have no X server and need none: there the tests open their windows on the screen.
VIRTUAL_SCREEN := $(shell command -v xvfb-run >/dev/null 2>&1 && echo 'xvfb-run --auto-servernum --server-args "-screen 0 1600x1000x24"')
SYSTEM_PACKAGES := xvfb xauth libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0 \
	libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0

# Compiled modules are kept whatever the environment says: each worker, and each process that a test starts, would
# otherwise compile everything anew, and pytest rewrite all of napari.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo app test test-minimum lint system-packages clean
.DELETE_ON_ERROR:

demo: $(VENV)/.core
	$(BIN)/patchfield demo --sample $(SAMPLE) --output $(OUTPUT)
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then $(MAKE) --no-print-directory app; fi

app: $(VENV)/.app
	$(BIN)/python -m patchfield.napari.app --sample $(SAMPLE)

# Without a screen the tests that open windows are skipped, and pytest says so.
test: $(VENV)/.test
	@$(QT_CHOICE) $(VIRTUAL_SCREEN) $(BIN)/python tests/display_check.py || [ -z "$(REQUIRE_SCREEN)" ]
	$(QT_CHOICE) $(VIRTUAL_SCREEN) $(BIN)/python $(PYTEST)

# The oldest packages warn of one another: there warnings are no errors.
test-minimum: $(VENV)/.minimum
	$(QT_CHOICE) $(VIRTUAL_SCREEN) $(VENV)-minimum/bin/python $(PYTEST) -W default

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

system-packages:
	@root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	$$root apt-get update -qq && \
	$$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(SYSTEM_PACKAGES) >/dev/null

clean:
	rm -rf $(VENV) $(VENV)-minimum $(OUTPUT)

$(VENV)/.made:
	@[ -n "$(PYTHON)" ] || { echo "Patchfield needs Python 3.11 or later: install it, or run make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; \
	} || { echo "$(PYTHON) cannot make environments: install its venv module (on Debian: python3-venv)"; exit 1; }
	@$(INSTALL) --quiet --upgrade pip
	@touch $@

$(VENV)/.core: pyproject.toml Makefile $(VENV)/.made
	@echo "Installing Patchfield and PyTorch: some minutes, once."
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.app: $(VENV)/.core
	$(INSTALL) --editable '.[napari,arrays,training]' '$(QT_LIBRARY)' '$(NAPARI)'
	@touch $@

$(VENV)/.test: $(VENV)/.app
	$(INSTALL) --quiet --editable '.[napari,arrays,training]' --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.app
	$(INSTALL) --quiet --editable '.[napari,arrays,training]' --group lint
	@touch $@

$(VENV)/.minimum: pyproject.toml Makefile $(VENV)/.made
	$(INSTALL) --quiet uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-minimum
	$(BIN)/uv pip install --quiet --python $(VENV)-minimum --resolution lowest-direct --editable '.[app,training]' --group test
	@touch $@
