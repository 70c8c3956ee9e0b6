"""The whole path, from sample portrait and voice to an mp4; speed, and memory of a process."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from emohead.head import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH


def test_load(benchmark: Any) -> None:
    head = benchmark.pedantic(TalkingHead.load, rounds=3)
    assert head.portrait(SAMPLE_FACE) is not None


def test_portrait(benchmark: Any) -> None:
    head = TalkingHead.load()
    benchmark.pedantic(head.portrait, args=(SAMPLE_FACE,), rounds=5, warmup_rounds=1)


def test_render(benchmark: Any, tmp_path: Path) -> None:
    head = TalkingHead.load()
    face = head.portrait(SAMPLE_FACE)

    def render() -> int:
        clip = head.animate(face, SAMPLE_SPEECH)
        clip.save(tmp_path / "a.mp4")
        return len(clip)

    num_frames = benchmark.pedantic(render, rounds=3, warmup_rounds=1)
    benchmark.extra_info["fps"] = num_frames / benchmark.stats["median"]
    assert num_frames > 30


def test_cold_process(benchmark: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emohead", "demo", "--json", "--out", str(tmp_path / "a.mp4")]

    def run() -> dict[str, Any]:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout))

    summary = benchmark.pedantic(run, rounds=2)
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    benchmark.extra_info["fps"] = summary["fps"]
    benchmark.extra_info["peak_rss_mib"] = peak_kib / 1024
    assert summary["frames"] > 30
