#!/usr/bin/env bash
# Train the default recipe on one CUDA GPU, a piece at a time, from a data pack. See README.md here.
set -euo pipefail
usage="usage: train_default.sh PACK [RUNS] [MINUTES] [STAGE ...]"
pack=${1:?$usage}
runs=${2:-out/train_default}
minutes=${3:-9}
shift $(($# < 3 ? $# : 3))
export PYTHONPATH="sdk:training${PYTHONPATH:+:$PYTHONPATH}"
python=${PYTHON:-python3}
"$python" -c "import torch; assert torch.cuda.is_available()" 2>/dev/null ||
    { echo "error: expected torch with a CUDA GPU; run this on such a machine" >&2; exit 1; }
mkdir -p "$runs"
"$python" -m emohead_training.piece "$@" --pack "$pack" --out "$runs" --minutes "$minutes" \
    --device cuda --precision bf16-mixed --bring "${OUT:-$runs/brought}" 2>&1 |
    tee -a "$runs/training.log"
