"""Many talking heads at once: their renderer steps share batches, cores and the GPU.

``Executor`` is what the farm and the server use; ``Track`` is one talking head in it.
"""

from emohead.executor.executor import Executor, ExecutorStats
from emohead.executor.track import Track

__all__ = ["Executor", "ExecutorStats", "Track"]
