"""Where files come in: each boundary reads a path and returns what it understood, or raises."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from emohead.audio import read_audio
from emohead.bench.schema import read_report
from emohead.bundle import Bundle
from emohead.emotion.files import read_track
from emohead.errors import InputError
from emohead.footage import film_of
from emohead.images import read_image
from emohead.jobs import Job, read_jobs
from emohead.landmarks.files import read_landmarks
from emohead.landmarks.photo import landmarks_from
from emohead.provenance.embedding import read_video
from emohead.study.schema import Answers, read_record
from emohead.study.sources import material_from_manifest
from emohead.style.files import read_style
from emohead_engines.store import EngineStore

from .bundles import STAGE


def _jobs(path: Path) -> list[Job]:
    """Read a file of jobs; lines that are none become records, which count as refused."""
    found = [job for _, job in read_jobs(path) if isinstance(job, Job)]
    if not found:
        raise InputError("no job")
    return found


def _engines(path: Path) -> list[Any]:
    """List a store; what is no engine is left out, with a warning."""
    found = EngineStore(path).entries()
    if not found:
        raise InputError("no engine")
    return found


def _frames(path: Path) -> list[Any]:
    """Decode the pictures of a video."""
    return list(islice(film_of(path), 10))


BOUNDARIES: dict[str, Callable[[Path], object]] = {
    "answers": lambda path: read_record(path, Answers, "answers file"),
    "audio": read_audio,
    "bundle": Bundle.open,
    "engine": _engines,
    "film": _frames,
    "graph": lambda path: Bundle.open(path).runner(STAGE, "cpu"),
    "image": read_image,
    "jobs": _jobs,
    "landmark_track": read_landmarks,
    "landmarks": landmarks_from,
    "report": read_report,
    "style": read_style,
    "study": material_from_manifest,
    "track": read_track,
    "video": read_video,
}
