# Each target makes the environment that it needs; `make demo` installs the runtime only, without torch.
PYTHON ?= python3
VENVS ?= .venv
RUN := $(VENVS)/run
DEV := $(VENVS)/dev
PIP := -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test smoke lint format bench clean

demo: $(RUN)/installed
	$(RUN)/bin/emohead demo --out out/demo.mp4

test: $(DEV)/installed
	$(DEV)/bin/python -m pytest

smoke: $(DEV)/installed
	rm -rf out/smoke
	$(DEV)/bin/python script/smoke.py out/smoke

lint: $(DEV)/installed
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

format: $(DEV)/installed
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .

bench: $(DEV)/installed
	$(DEV)/bin/python -m pytest benchmarks --benchmark-columns=min,median,rounds

$(RUN)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(RUN)
	$(RUN)/bin/python $(PIP) -e ".[cpu]"
	touch $@

$(DEV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(PIP) -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENVS) out build *.egg-info
