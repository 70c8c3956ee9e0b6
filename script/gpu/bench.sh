#!/usr/bin/env bash
# Parity and speed of PyTorch, ONNX Runtime and TensorRT on one CUDA machine. See README.md here.
set -euo pipefail
usage="usage: bench.sh OUT [--device cuda|cpu] [--quick] [--part NAME ...] [--stage NAME ...]"
out=${1:?$usage}
shift
export PYTHONPATH="sdk:training:export:engines${PYTHONPATH:+:$PYTHONPATH}"
export EMOHEAD_ENGINES="$out/engines" EMOHEAD_ORT_CACHE="$out/ort"
mkdir -p "$out"
python3 script/gpu/bench.py "$out" "$@"
if [[ " $* " != *" cpu "* ]] && python3 -c "import pytest" 2>/dev/null; then
    # The report above stands even where one of these tests fails.
    python3 -m pytest -m gpu -p no:cacheprovider tests/contract tests/engines tests/sdk \
        --junitxml "$out/gpu_tests.xml" || echo "tests marked gpu failed: see $out/gpu_tests.xml" >&2
fi
