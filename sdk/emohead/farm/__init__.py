"""A rendering farm on Ray: many jobs, many machines, one record each, nothing done twice.

>>> from emohead import farm
>>> state = farm.render("jobs.jsonl", "renders", farm.FarmOptions(tracks=4))  # doctest: +SKIP

``run.py`` runs it; ``plan.py`` finds what is missing or changed, ``dispatch.py`` decides who
renders it, ``ray_pool.py`` keeps the workers, ``workers.py`` is what they run. Needs the extra
``farm``; importing this package does not import Ray. See docs/farm.md.
"""

from __future__ import annotations

from emohead.farm.run import FarmOptions, render
from emohead.farm.status import FarmReport, read_status
from emohead.farm.tasks import FarmState, Loader, Renders

__all__ = [
    "FarmOptions",
    "FarmReport",
    "FarmState",
    "Loader",
    "Renders",
    "read_status",
    "render",
]
