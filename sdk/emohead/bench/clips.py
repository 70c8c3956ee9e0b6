"""Whole clips: each scenario is rendered by a fresh process, which times and weighs itself.

``python -m emohead.bench.clips`` is that process: a scenario on stdin, its result on stdout.
Not here: which scenarios there are (``suite.py``).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emohead.bench.memory import gpu_memory_mib, peak_rss_mib
from emohead.bench.schema import ClipResult, Scenario
from emohead.bench.timing import summarised
from emohead.errors import EmoheadError

if TYPE_CHECKING:
    from emohead.audio import Audio
    from emohead.bench.targets import Target
    from emohead.executor import Track
    from emohead.head import TalkingHead
    from emohead.portrait import Portrait

__all__ = ["describe", "measure_clip", "scenario_on"]

_BEGAN = "EMOHEAD_BENCH_BEGAN"
"""Environment variable with the time at which the process was asked for, s since the epoch."""


def measure_clip(scenario: Scenario) -> ClipResult:
    """Render a scenario in a fresh process.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    ClipResult

    Raises
    ------
    EmoheadError
        When the process fails, with its last words.
    """
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "emohead.bench.clips"],
        input=scenario.model_dump_json(),
        env={**os.environ, _BEGAN: repr(began)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise EmoheadError(f"rendering {describe(scenario)} failed: {words[0]}")
    return ClipResult.model_validate_json(done.stdout)


def describe(scenario: Scenario) -> str:
    """Say in a phrase what a scenario renders."""
    length = f"{scenario.seconds:g} s" if scenario.seconds else "the sample"
    size = f"photos {scenario.photo_px} px high" if scenario.photo_px else "the 256x256 crop"
    precision = scenario.precision if scenario.graphs == "fp32" else scenario.graphs
    tracks = f", {scenario.tracks} tracks" if scenario.tracks > 1 else ""
    return f"{length} as {size}{tracks} on {scenario.backend} {precision}"


def scenario_on(planned: Scenario, target: Target) -> Scenario:
    """Fill in where a planned scenario is rendered."""
    where = {
        "backend": target.backend.name,
        "precision": target.backend.precision,
        "graphs": target.graphs,
        "bundle": target.bundle_path,
    }
    return planned.model_copy(update=where)


@dataclass(frozen=True, kw_only=True)
class _Round:
    """One clip made from start to finish."""

    first_ms: float
    intervals_ms: list[float]
    steady_fps: float
    total_s: float
    num_frames: int
    duration_s: float


def _measured(scenario: Scenario, began: float) -> ClipResult:
    """Body of the fresh process."""
    from emohead.backends import choose_backend
    from emohead.bench.targets import Target
    from emohead.bundle import Bundle
    from emohead.head import TalkingHead

    imported = time.time()
    gpu_before = gpu_memory_mib()
    target = Target(
        backend=choose_backend(scenario.backend, scenario.precision),
        bundle=Bundle.open(scenario.bundle),
        graphs=scenario.graphs,
    )
    head = TalkingHead.load(target.bundle, backend=target.backend, precision=target.graphs)
    loaded = time.time()
    face = head.portrait(_photo(scenario.photo_px))
    prepared = time.time()
    speech = _speech(scenario.seconds)
    first = next(iter(_animate(head, face, speech, scenario)))
    cold = time.time() - began
    rounds = list(_rounds(head, face, speech, scenario))
    gpu_after = gpu_memory_mib()
    return ClipResult(
        scenario=scenario,
        precision=target.precision,
        num_frames=rounds[0].num_frames,
        duration_s=round(rounds[0].duration_s, 3),
        frame_size=(first.shape[0], first.shape[1]),
        import_s=round(imported - began, 3),
        load_s=round(loaded - imported, 3),
        portrait_s=round(prepared - loaded, 3),
        cold_start_s=round(cold, 3),
        first_frame_ms=round(statistics.median(r.first_ms for r in rounds), 2),
        frames=summarised([ms for r in rounds for ms in r.intervals_ms]),
        steady_fps=round(statistics.median(r.steady_fps for r in rounds), 2),
        fps=round(statistics.median(r.num_frames / r.total_s for r in rounds), 2),
        real_time_factor=round(statistics.median(r.total_s / r.duration_s for r in rounds), 4),
        peak_rss_mib=peak_rss_mib(),
        gpu_memory_mib=None if gpu_before is None else (gpu_after or 0.0) - gpu_before,
    )


def _rounds(
    head: TalkingHead, face: Portrait, speech: Audio, scenario: Scenario
) -> Iterator[_Round]:
    make = _made_together if scenario.kind == "tracks" else _made
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(scenario.rounds):
            yield make(head, face, speech, scenario, Path(folder))


def _made(
    head: TalkingHead, face: Portrait, speech: Audio, scenario: Scenario, folder: Path
) -> _Round:
    """Make a clip, noting when each frame was handed to the encoder."""
    at: list[float] = []
    began = time.perf_counter()
    clip = _animate(head, face, speech, scenario)
    clip.save(folder / "clip.mp4", progress=lambda done, total: at.append(time.perf_counter()))
    total_s = time.perf_counter() - began
    return _Round(
        first_ms=1e3 * (at[0] - began),
        intervals_ms=_intervals_ms(at),
        steady_fps=(len(at) - 1) / (at[-1] - at[0]),
        total_s=total_s,
        num_frames=len(clip),
        duration_s=len(clip) / clip.fps,
    )


def _made_together(
    head: TalkingHead, face: Portrait, speech: Audio, scenario: Scenario, folder: Path
) -> _Round:
    """Make the clips of all tracks in an executor, each written by a thread of its own."""
    with head.executor() as executor, ThreadPoolExecutor(scenario.tracks) as writers:
        began = time.perf_counter()
        tracks = [executor.submit(face, speech, seed=seed) for seed in range(scenario.tracks)]
        paths = [folder / f"{number}.mp4" for number in range(scenario.tracks)]
        times = list(writers.map(_written, tracks, paths))
        total_s = time.perf_counter() - began
        clip = tracks[0].clip.result()
    everything = sorted(at for own in times for at in own)
    return _Round(
        first_ms=1e3 * (everything[0] - began),
        intervals_ms=[ms for own in times for ms in _intervals_ms(own)],
        steady_fps=(len(everything) - 1) / (everything[-1] - everything[0]),
        total_s=total_s,
        num_frames=len(everything),
        duration_s=len(clip) / clip.fps,
    )


def _written(track: Track, path: Path) -> list[float]:
    """Write a track's video; returns when each frame was handed to the encoder."""
    from emohead.video import VideoWriter

    clip, at = track.clip.result(), []
    with VideoWriter(path, fps=clip.fps, audio=clip.speech) as writer:
        for frame in track.frames():
            writer.write(frame)
            at.append(time.perf_counter())
    return at


def _intervals_ms(at: Sequence[float]) -> list[float]:
    return [1e3 * float(d) for d in np.diff(at)]


def _animate(head: TalkingHead, face: Portrait, speech: Audio, scenario: Scenario) -> Any:
    full_frame = scenario.photo_px is not None
    return head.animate(
        face, speech, emotion=scenario.emotion, fps=scenario.fps, full_frame=full_frame
    )


def _photo(height: int | None) -> NDArray[np.uint8]:
    """Return the sample portrait, at its own size or at a height given."""
    import cv2

    from emohead.images import read_image
    from emohead.samples import SAMPLE_FACE

    pixels = read_image(SAMPLE_FACE)
    if height is None:
        return pixels
    width = round(pixels.shape[1] * height / pixels.shape[0])
    way = cv2.INTER_AREA if height < pixels.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)


def _speech(seconds: float | None) -> Audio:
    """Return the sample voice, cut or repeated to a length given, as a file would bring it."""
    from emohead.audio import SAMPLE_RATE_HZ, read_audio
    from emohead.samples import SAMPLE_SPEECH

    voice = read_audio(SAMPLE_SPEECH)
    if seconds is None:
        return voice
    samples, missing = (voice.samples * 32767).astype("<i2"), round(seconds * SAMPLE_RATE_HZ)
    with tempfile.TemporaryFile() as file:
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(samples.itemsize)
            sound.setframerate(SAMPLE_RATE_HZ)
            while missing > 0:
                sound.writeframes(samples[:missing].tobytes())
                missing -= len(samples)
        file.seek(0)
        return read_audio(file)


def _main() -> None:
    scenario = Scenario.model_validate_json(sys.stdin.read())
    try:
        result = _measured(scenario, float(os.environ[_BEGAN]))
    except EmoheadError as err:
        sys.exit(" ".join(str(err).split()))
    sys.stdout.write(result.model_dump_json())


if __name__ == "__main__":
    _main()
