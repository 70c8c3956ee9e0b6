#!/usr/bin/env bash
# Train every stage on one CUDA GPU, then export and judge the bundle. See README.md here.
set -euo pipefail
data=${1:?usage: train.sh DATA OUT [MINUTES]}
out=${2:?usage: train.sh DATA OUT [MINUTES]}
minutes=${3:-5}
export PYTHONPATH="sdk:training:export:engines${PYTHONPATH:+:$PYTHONPATH}"
run() { python3 -c "import sys; from $1.cli import main; sys.exit(main())" "${@:2}"; }

for stage in face_detector face_landmarks identity autovc neutral_landmarks emotion_encoder \
    emotion_landmarks renderer_local renderer_global; do
    run emohead_training "$stage" --data "$data" --out "$out" --device cuda \
        --precision bf16-mixed --minutes "$minutes" --steps 1000000
done
run emohead_export bundle --checkpoints "$out" --out "$out/bundle"
run emohead_training evaluate --data "$data" --bundle "$out/bundle" --json "$out/quality.json"
