# make demo   the main job on a shipped sample, pictures in demo-output/; opens napari where there is a display
# make app    napari with the same sample
# make test   all tests (a virtual screen is used; installed through apt-get where that is allowed)
# make lint   style and types
# Everything is installed into .venv; nothing else on the machine is touched, except by apt-get for `make test`.

SHELL := /bin/bash
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
SAMPLE ?= alloy
OUTPUT ?= demo-output

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
INSTALL := $(PIP) install --retries 10 --timeout 120
# macOS has no X server and needs none: there the tests open their windows on the screen.
SCREEN := $(if $(filter Darwin,$(shell uname)),,xvfb-run --auto-servernum --server-args "-screen 0 1600x1000x24")
CHECK_SCREEN := $(SCREEN) $(BIN)/python tests/display_check.py >/dev/null 2>&1
SYSTEM_PACKAGES := xvfb xauth libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0 \
	libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0

.PHONY: demo app test lint clean
.DELETE_ON_ERROR:

demo: $(VENV)/.core
	$(BIN)/patchfield demo --sample $(SAMPLE) --output $(OUTPUT)
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then $(MAKE) --no-print-directory app; fi

app: $(VENV)/.app
	$(BIN)/python -m patchfield.napari.app --sample $(SAMPLE)

test: $(VENV)/.test $(VENV)/.screen
	$(SCREEN) $(BIN)/python -m pytest

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) $(OUTPUT)

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
	$(INSTALL) --editable '.[app,training]'
	@touch $@

$(VENV)/.test: $(VENV)/.app
	$(INSTALL) --quiet --editable '.[app,training]' --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.core
	$(INSTALL) --quiet --editable . --group lint
	@touch $@

$(VENV)/.screen: $(VENV)/.test
	@$(CHECK_SCREEN) || { \
		root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
		command -v apt-get >/dev/null && $$root true 2>/dev/null && $$root apt-get update -qq && \
		$$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(SYSTEM_PACKAGES) >/dev/null; \
		$(CHECK_SCREEN); \
	} || { echo "The tests need a virtual screen with OpenGL; on Debian and Ubuntu: apt-get install $(SYSTEM_PACKAGES)"; exit 1; }
	@touch $@
