"""Hashes: of files, and the key by which a job is known to be done already.

Not here: deciding what to render (``emohead.farm``).
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Final

from emohead import hashing
from emohead.errors import InputError
from emohead.jobs.schema import FILES, Job

__all__ = ["MISSING", "file_sha256", "input_hashes", "job_key"]

MISSING: Final = "missing"
"""In place of the hash of a file that is not there, so that the key changes once it is."""
_REMEMBERED: Final = 4096


def job_key(job: Job, bundle: str, *, inputs: dict[str, str] | None = None) -> str:
    """Key of a job: equal for jobs that give the same video under the same name.

    Parameters
    ----------
    job : Job
    bundle : str
        ``Manifest.sha256`` of the networks.
    inputs : dict of str to str, optional
        What ``input_hashes`` found; looked up otherwise.

    Returns
    -------
    str
        sha256 of output, settings, contents of the files (not their paths) and bundle. Backend and
        precision are not in it: a resumed farm may go on with other machines.
    """
    files = input_hashes(job) if inputs is None else inputs
    settings = job.model_dump(mode="json", exclude=set(FILES))
    facts = {"job": settings, "inputs": files, "bundle": bundle}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def input_hashes(job: Job) -> dict[str, str]:
    """Hash the files that a job reads.

    Parameters
    ----------
    job : Job

    Returns
    -------
    dict of str to str
        sha256 by field of the job; ``missing`` for a file that is not there or not readable, which
        is for rendering to complain about.
    """
    return {field: _hash_or_missing(path) for field, path in job.files().items()}


def file_sha256(path: Path) -> str:
    """Hash a file; remembered as long as its size and time of change stay.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        found = path.stat()
        return _sha256(str(path), found.st_size, found.st_mtime_ns)
    except OSError as err:
        raise InputError(
            f"the file {path} cannot be read ({err.strerror}): check the path"
        ) from err


def _hash_or_missing(path: Path) -> str:
    try:
        return file_sha256(path) if path.is_file() else MISSING
    except (InputError, OSError, ValueError):  # a folder that is closed to us, an impossible name
        return MISSING


@lru_cache(_REMEMBERED)
def _sha256(path: str, size: int, changed_ns: int) -> str:
    return hashing.file_sha256(path)
