# Each target makes the environment that it needs; `make demo` installs the runtime only, without torch.
PYTHON ?= python3
VENVS ?= .venv
RUN := $(VENVS)/run
DEV := $(VENVS)/dev
PIP := -m pip install --quiet --disable-pip-version-check -c constraints.txt

AGENTS := $(VENVS)/agents

# On all cores, file by file, long ones first. Benchmarks have suites of their own.
PYTEST := $(DEV)/bin/python -m pytest -n logical --maxprocesses 8 --dist loadscope \
	--no-loadscope-reorder -p no:benchmark

.PHONY: test-fast test-agents test-minimum dist sbom fuzz demo test smoke lint format bench docs pages clean coverage

demo: $(RUN)/installed
	$(RUN)/bin/emohead demo --out out/demo.mp4

test: $(DEV)/installed
	$(PYTEST)

test-fast: $(DEV)/installed
	$(PYTEST) -m "not slow"

coverage: $(DEV)/installed
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-fail-under=90

smoke: $(DEV)/installed
	rm -rf out/smoke
	$(DEV)/bin/python script/smoke.py out/smoke

test-agents: $(AGENTS)/installed
	$(AGENTS)/bin/python -m pytest tests/sdk/live tests/docs/test_examples.py

dist: $(DEV)/installed
	PATH="$(abspath $(DEV))/bin:$$PATH" $(DEV)/bin/python script/check_dist.py

sbom: $(RUN)/installed $(DEV)/installed
	$(DEV)/bin/python script/sbom.py $(RUN)/bin/python

SECONDS ?= 120

fuzz: $(DEV)/installed
	$(DEV)/bin/python $(PIP) -e ".[fuzz]"
	$(DEV)/bin/python script/fuzz.py --seconds $(SECONDS)

test-minimum: $(DEV)/installed
	PATH="$(abspath $(DEV))/bin:$$PATH" $(DEV)/bin/python script/minimum_versions.py

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

docs: $(DEV)/installed
	NO_MKDOCS_2_WARNING=1 $(DEV)/bin/mkdocs build --strict

# What the pages say about commands, GPUs and the data flow follows from the code.
pages: $(DEV)/installed
	$(DEV)/bin/python script/pages

$(RUN)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(RUN)
	$(RUN)/bin/python $(PIP) -e ".[cpu]"
	touch $@

$(DEV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(PIP) -e ".[dev]"
	touch $@

# Pipecat needs older packages than the other environments have.
$(AGENTS)/installed: pyproject.toml constraints-agents.txt
	$(PYTHON) -m venv $(AGENTS)
	$(AGENTS)/bin/python -m pip install --quiet --disable-pip-version-check \
		-c constraints-agents.txt -e ".[agents,cpu,test]" onnx
	touch $@

clean:
	rm -rf $(VENVS) out build site *.egg-info
