#!/usr/bin/env bash
# Compare the default bundle on CUDA with the CPU, stage by stage. See README.md here.
set -euo pipefail
out=${1:?usage: check.sh OUT}
export PYTHONPATH="sdk:training:export:engines${PYTHONPATH:+:$PYTHONPATH}"
mkdir -p "$out"
python3 script/gpu/cuda_parity.py "$out/cuda_parity.json"
