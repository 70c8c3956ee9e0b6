"""Jobs: one video each, as data. What the farm, the service, the studio and the commands share.

>>> from emohead import TalkingHead
>>> from emohead.jobs import Job, JobRenderer, render_job
>>> job = Job(face="face.jpg", speech="hi.wav", output="hi.mp4", emotion="happy")  # doctest: +SKIP
>>> record = render_job(TalkingHead.load(), job, "out")  # doctest: +SKIP
>>> record.status, record.error  # doctest: +SKIP
('done', None)

Who renders many keeps one ``JobRenderer`` per loaded head: it remembers faces and, with `tracks`,
renders several jobs at once. ``render`` never raises for a job that fails: the record tells.

* ``schema.py``: ``Job`` and its JSON Schema; ``job_from`` turns a mapping into one, with one
  sentence where it is wrong.
* ``reading.py``: ``read_jobs`` streams JSONL or CSV; a bad line becomes a failed ``Record``.
* ``record.py``: ``Record``, what became of a job; ``log.py``: the append-only file of them.
* ``hashing.py``: ``job_key``, equal for jobs that give the same video.
* ``rendering.py``: ``JobRenderer``, ``render_job``; ``inputs.py``: files and clip of one job;
  ``faces.py``: faces that several jobs show.

Slow to import (pydantic). Not here: spreading jobs over machines (``emohead.farm``).
"""

from __future__ import annotations

from emohead.jobs.hashing import job_key
from emohead.jobs.log import RecordLog, read_records
from emohead.jobs.reading import read_jobs
from emohead.jobs.record import Failure, Record, failed_record, read_record, write_record
from emohead.jobs.rendering import JobRenderer, render_job
from emohead.jobs.schema import Job, Place, job_from, job_schema

__all__ = [
    "Failure",
    "Job",
    "JobRenderer",
    "Place",
    "Record",
    "RecordLog",
    "failed_record",
    "job_from",
    "job_key",
    "job_schema",
    "read_jobs",
    "read_record",
    "read_records",
    "render_job",
    "write_record",
]
