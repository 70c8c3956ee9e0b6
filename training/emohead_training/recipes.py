"""Named training configurations: a run is a function that returns a frozen config.

``smoke_<stage>`` takes minutes on two cores, ``default_<stage>`` makes the shipped bundle.
Not here: the meaning of a field, which is documented at its config class beside the stage.
"""

from __future__ import annotations
