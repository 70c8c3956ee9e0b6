#!/usr/bin/env bash
# Parity and speed of PyTorch, ONNX Runtime and TensorRT on one CUDA machine. See README.md here.
set -euo pipefail
usage="usage: bench.sh OUT [--device cuda|cpu] [--quick] [--part NAME ...] [--stage NAME ...]"
out=${1:?$usage}
shift
export PYTHONPATH="sdk:training:export:engines${PYTHONPATH:+:$PYTHONPATH}"
export EMOHEAD_ENGINES="$out/engines" EMOHEAD_ORT_CACHE="$out/ort"
python=${PYTHON:-python3}
"$python" -c "import numpy, pydantic, torch" ||
    { echo "error: expected numpy, pydantic and torch for $python; set PYTHON to one that has them" >&2; exit 1; }
mkdir -p "$out"
"$python" script/gpu/bench.py "$out" "$@"
if ! [[ " $* " =~ [\ =]cpu\  ]] && "$python" -c "import pytest" 2>/dev/null; then
    # The report above stands even where one of these tests fails. Other versions of libraries than
    # ours may warn, and what is not installed may not be collected; neither is the question here.
    "$python" -m pytest -m gpu -p no:cacheprovider -W default --continue-on-collection-errors \
        --junitxml "$out/gpu_tests.xml" tests/contract tests/engines ||
        echo "not every test marked gpu passed: see $out/gpu_tests.xml" >&2
fi
