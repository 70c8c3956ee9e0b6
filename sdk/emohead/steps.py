"""Streams through a recurrent stage, batched: held inputs and state stay between calls.

Where they stay depends on the backend: here in numpy, in ``ort_gpu.py`` on the GPU.
Called by ``render.py`` and ``executor``. Not here: which streams share a batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emohead.contract import StageSpec, TensorSpec, zero_state
from emohead.errors import ContractError
from emohead.feeds import check_feed

if TYPE_CHECKING:
    from emohead.runner import Runner

__all__ = ["HostSteps", "State", "Steps", "batched", "unbatched"]

Array = NDArray[Any]
State = Mapping[str, Array]
"""State of one stream, batch length 1, by the inputs that take it."""


class Steps(ABC):
    """Streams that step together; make one with ``Runner.steps``. Not for two threads at once.

    Parameters
    ----------
    spec : StageSpec
        Of a recurrent stage.
    held : sequence of mapping of str to numpy.ndarray
        Per stream, the inputs that never change, batch length 1.
    states : sequence of State, optional
        Per stream, where it starts from; zero otherwise.

    Raises
    ------
    ContractError
        When what is held does not fit the spec, or differs in names or number.
    """

    def __init__(
        self,
        spec: StageSpec,
        held: Sequence[Mapping[str, Array]],
        states: Sequence[State] | None = None,
    ) -> None:
        names = {s.input for s in spec.state}
        known = set(held[0]) if held else set()
        if not held or any(set(h) != known for h in held) or known & names:
            raise ContractError(
                f"{spec.name}: expected the same held inputs of at least one stream, got "
                f"{[sorted(h) for h in held]}; hold what is neither state nor new in every step"
            )
        if states is not None and len(states) != len(held):
            raise ContractError(
                f"{spec.name}: expected {len(held)} states, got {len(states)}; pass one per stream"
            )
        self.spec = spec
        self.batch = len(held)
        self.fed = tuple(n for n in spec.input_names if n not in known | names)
        """Inputs that every step takes."""
        self.given = tuple(n for n in spec.output_names if n not in {s.output for s in spec.state})
        """Outputs that every step gives."""

    def step(self, **feed: Array) -> dict[str, Array]:
        """Run the next step of every stream.

        Parameters
        ----------
        **feed : numpy.ndarray
            The inputs named in ``fed``; the batch axis counts the streams.

        Returns
        -------
        dict of str to numpy.ndarray
            The outputs named in ``given``.

        Raises
        ------
        ContractError
            When the feed does not fit the spec.
        """
        self.check(feed)
        return self._step(feed)

    def run_through(self, feeds: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
        """Run steps whose feeds are known ahead of time; where that helps, the next ones begin.

        Parameters
        ----------
        feeds : iterable of mapping of str to numpy.ndarray
            As `step` takes them; perhaps asked for a few steps early.

        Yields
        ------
        dict of str to numpy.ndarray
            As `step` returns them.
        """
        for feed in feeds:
            yield self.step(**feed)

    def check(self, feed: Mapping[str, Array]) -> None:
        """Raise ContractError unless a feed fits the spec and has every stream once."""
        check_feed(self.spec, feed, self.fed)
        first = self.spec.input(self.fed[0])
        got = feed[first.name].shape[batch_axis(first)]
        if got != self.batch:
            raise ContractError(
                f"{self.spec.name}: expected {self.batch} streams in {first.name}, got {got}; "
                "feed every stream once"
            )

    @abstractmethod
    def states(self) -> list[dict[str, Array]]:
        """Copy the state of every stream to the host."""

    def _joined(
        self, held: Sequence[Mapping[str, Array]], states: Sequence[State] | None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Batch and check what is held; batch the states to begin with."""
        constants = batched(self.spec, held)
        check_feed(self.spec, constants, tuple(constants))
        if states is None:
            return constants, zero_state(self.spec, self.batch)
        return constants, batched(self.spec, states)

    def close(self) -> None:  # noqa: B027 - in host memory there is nothing to release
        """Release what the backend holds."""

    @abstractmethod
    def _step(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Run on a feed that fits the spec."""


class HostSteps(Steps):
    """Streams over any runner, through numpy.

    Parameters
    ----------
    runner : Runner
        Of a recurrent stage.
    held, states
        As for ``Steps``.
    """

    def __init__(
        self,
        runner: Runner,
        held: Sequence[Mapping[str, Array]],
        states: Sequence[State] | None = None,
    ) -> None:
        super().__init__(runner.spec, held, states)
        self._runner = runner
        self._held, self._state = self._joined(held, states)

    def states(self) -> list[dict[str, Array]]:
        """Copy the state of every stream."""
        return unbatched(self.spec, self._state, self.batch)

    def _step(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        # What is held was checked once and the state is the stage's own: only `feed` is new.
        results = self._runner.run_checked({**feed, **self._held, **self._state})
        self._state = {s.input: results.pop(s.output) for s in self.spec.state}
        return results


def batch_axis(tensor: TensorSpec) -> int:
    """Position of the axis that counts streams."""
    return next(i for i, d in enumerate(tensor.dims) if d.name == "batch")


def batched(spec: StageSpec, streams: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Join inputs of streams along their batch axes; of one stream nothing is copied."""
    if len(streams) == 1:
        return dict(streams[0])
    return {
        name: np.concatenate([s[name] for s in streams], batch_axis(spec.input(name)))
        for name in streams[0]
    }


def unbatched(spec: StageSpec, arrays: Mapping[str, Array], batch: int) -> list[dict[str, Array]]:
    """Split inputs into copies of batch length 1, one mapping per stream."""
    return [
        {name: np.take(array, [i], batch_axis(spec.input(name))) for name, array in arrays.items()}
        for i in range(batch)
    ]
