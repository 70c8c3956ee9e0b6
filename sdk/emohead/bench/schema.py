"""What a benchmark found: the schema of ``emohead bench``'s JSON.

Slow to import (pydantic). Not here: measuring, drawing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emohead.errors import InputError
from emohead.reading import first_problem, read_file
from emohead.whole_files import whole_file, writable_folder

__all__ = [
    "FORMAT",
    "Ceilings",
    "ClipResult",
    "EngineBuild",
    "Machine",
    "Report",
    "Scenario",
    "StageResult",
    "Timing",
    "read_report",
    "write_text",
]

FORMAT: Final = "emohead-bench/1"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timing(_Record):
    """Distribution of repeated measurements, ms."""

    num_samples: int = Field(ge=1)
    median_ms: float
    p95_ms: float
    p99_ms: float
    min_ms: float
    max_ms: float
    jitter_ms: float
    """Mean absolute difference of neighbouring measurements."""


class Machine(_Record):
    """Where the numbers come from."""

    cpu: str
    cores: int
    """Cores that this process may use."""
    memory_gib: float | None
    gpus: tuple[str, ...]
    """NVIDIA GPUs with compute capability and memory."""
    driver: str | None
    """Of the GPUs."""
    system: str
    python: str
    packages: dict[str, str]
    """Versions of what the runtime stands on."""
    load_average: float | None
    """Processes that wanted a core in the minute before, other people's included; idle is 0."""


class Ceilings(_Record):
    """What plain matrix products and copies reach: the roof of a roofline."""

    device: Literal["cpu", "gpu"] = "cpu"
    precision: Literal["fp32", "fp16"] = "fp32"
    """Of the matrix product."""
    gemm_gflops: float
    """Best matrix product, GFLOP/s; a multiply-add counts two."""
    bandwidth_gb_s: float
    """Best copy of arrays that no cache holds, GB/s; reading and writing both count."""
    threads: int
    """Of the processor."""


class StageResult(_Record):
    """One network on one backend at one batch size."""

    stage: str
    backend: str
    precision: str
    """Of the arithmetic."""
    batch: int = Field(ge=1)
    error: float
    """Largest difference from fp32 on the CPU, over the output's own scale."""
    tolerance: float
    """What the stage's spec accepts."""
    refused: str = ""
    """Why nothing was timed; empty where it was."""
    open_s: float
    """Time from the file's bytes to a session, an engine's build included."""
    timing: Timing | None = None
    """Of one call, copies from and to numpy included; None where refused."""
    mega_macs: float | None = None
    """Multiply-accumulates of one item, as the bundle's manifest states them."""

    @property
    def items_per_s(self) -> float:
        """Throughput at this batch size; 0 where refused."""
        return 1e3 * self.batch / self.timing.median_ms if self.timing else 0.0

    @property
    def gflops(self) -> float:
        """Arithmetic that was reached, GFLOP/s; 0 where unknown."""
        return 2e-3 * (self.mega_macs or 0.0) * self.items_per_s


class Scenario(_Record):
    """What one fresh process renders."""

    kind: Literal["pipeline", "length", "memory", "resolution", "tracks"]
    """Which table it belongs to."""
    backend: str = "cpu"
    precision: str = "fp32"
    """In which the backend computes fp32 graphs."""
    graphs: str = "fp32"
    """Precision of the files."""
    bundle: str | None = None
    """Path of the networks; None for the embedded ones."""
    seconds: float | None = Field(default=None, gt=0)
    """Length of the speech; None for the sample's own, longer ones repeat it."""
    emotion: str | None = None
    """What the face expresses; None to read the voice."""
    fps: int = Field(default=30, ge=1)
    """Frames a second."""
    photo_px: int | None = Field(default=None, ge=64)
    """Height of whole photos as output; None for the 256x256 crop."""
    tracks: int = Field(default=1, ge=1)
    """Clips rendered side by side."""
    rounds: int = Field(default=3, ge=1)
    """How often the clip is made; numbers are medians or pooled."""


class ClipResult(_Record):
    """From portrait and voice to a finished mp4."""

    scenario: Scenario
    precision: str
    """Of the arithmetic, joined by ``+`` where networks differ."""
    num_frames: int
    """Of one round, all tracks together."""
    duration_s: float
    """Of one track."""
    frame_size: tuple[int, int]
    """Height and width, px."""
    import_s: float
    """Start of the process to the package imported."""
    load_s: float
    """Opening and verifying every network."""
    portrait_s: float
    """Finding and preparing the face."""
    cold_start_s: float
    """Start of the process to the first frame."""
    first_frame_ms: float
    """Whole voice in, first frame out, in a warm process."""
    frames: Timing
    """Intervals between frames, encoding beside them."""
    steady_fps: float
    """Frames a second after the first one."""
    fps: float
    """Frames over the whole time, lips to finished file."""
    real_time_factor: float
    """Time over the clip's duration; below 1 is faster than real time."""
    peak_rss_mib: float | None
    """Largest resident memory of the process; None where the system does not tell."""
    gpu_memory_mib: float | None
    """Memory that the GPU lost while the process worked; None without one."""


class EngineBuild(_Record):
    """Building one TensorRT engine."""

    stage: str
    precision: str
    flavour: str
    """Library and version."""
    seconds: float
    num_bytes: int


class Report(_Record):
    """Everything that one run of ``emohead bench`` found."""

    format: Literal["emohead-bench/1"] = FORMAT
    created: str
    """UTC, ISO 8601."""
    emohead: str
    """Version of the package."""
    quick: bool
    bundles: dict[str, str]
    """Name of each bundle by sha256 of its graphs' hashes, 16 digits."""
    machine: Machine
    ceilings: tuple[Ceilings, ...]
    stages: tuple[StageResult, ...]
    clips: tuple[ClipResult, ...]
    engines: tuple[EngineBuild, ...] = ()
    absent: dict[str, str] = {}
    """What could not be measured here, and why."""

    @property
    def refused(self) -> tuple[StageResult, ...]:
        """Networks whose results were too far off to be timed."""
        return tuple(r for r in self.stages if r.refused)


def read_report(path: Path) -> Report:
    """Read a report.

    Parameters
    ----------
    path : pathlib.Path
        JSON of ``emohead bench``.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        When the file cannot be read or is of another format.
    """
    content = read_file(path, "the report", "give another file")
    try:
        return Report.model_validate_json(content)
    except ValidationError as err:
        field, problem = first_problem(err, "the whole file")
        raise InputError(
            f"{path}: expected a report of format {FORMAT}, but {field}: {problem}; "
            "measure again with `emohead bench`"
        ) from err


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; its folder is made.

    Raises
    ------
    InputError
        When the place cannot be written to.
    """
    writable_folder(path.parent, "folder")
    with whole_file(path, "file") as temporary:
        temporary.write_text(text, encoding="utf-8")
