"""Runners: one stage each, feed checked against its spec, then run.

Recurrent state never hides here: it enters and leaves as named tensors that the caller owns.
Who calls: ``backends.py`` makes them; every step of the pipeline takes any ``Runner``.
Not here: the check (``feeds.py``), sessions (``sessions.py``), choosing (``backends.py``).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from emohead.contract import StageSpec
from emohead.denormals import own_threads
from emohead.errors import BackendError, ContractError
from emohead.feeds import check_feed
from emohead.lookahead import OpenParts, PartSteps
from emohead.machine import CPU_PROVIDER
from emohead.sessions import default_threads, open_session, run_session, session_options
from emohead.steps import HostSteps, State, Steps

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["OrtRunner", "Runner"]

Array = NDArray[Any]


class Runner(ABC):
    """A stage that can be run: ``runner(name=array, ...)`` or ``runner.run(array, ...)``.

    Parameters
    ----------
    spec : StageSpec
        The contract that feeds and results keep.
    """

    def __init__(self, spec: StageSpec) -> None:
        self.spec = spec

    def __call__(self, **feed: Array) -> dict[str, Array]:
        """Check the feed, then run the stage.

        Parameters
        ----------
        **feed : numpy.ndarray
            One array per input of the spec, by its name.

        Returns
        -------
        dict of str to numpy.ndarray
            One array per output of the spec, in its order.

        Raises
        ------
        ContractError
            When names, dtypes, shapes or values do not fit the spec.
        """
        check_feed(self.spec, feed)
        return self._run(feed)

    def run(self, *arrays: Array) -> tuple[Array, ...]:
        """Run with the inputs in the spec's order; return the outputs in the spec's order.

        Raises
        ------
        ContractError
            As for a call by name, or when the number of arrays is wrong.
        """
        names = self.spec.input_names
        if len(arrays) != len(names):
            raise ContractError(
                f"{self.spec.name}: expected {len(names)} inputs {list(names)}, "
                f"got {len(arrays)}; pass one array per input, in this order"
            )
        return tuple(self(**dict(zip(names, arrays, strict=True))).values())

    def run_checked(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Run on a feed that was checked before, as a whole or in parts.

        Parameters
        ----------
        feed : mapping of str to numpy.ndarray
            Every input of the spec.

        Returns
        -------
        dict of str to numpy.ndarray
            Every output of the spec.
        """
        return self._run(feed)

    def steps(
        self, held: Sequence[Mapping[str, Array]], states: Sequence[State] | None = None
    ) -> Steps:
        """Open streams that step together through a recurrent stage.

        Parameters
        ----------
        held : sequence of mapping of str to numpy.ndarray
            Per stream, the inputs that never change, batch length 1.
        states : sequence of State, optional
            Per stream, where it starts from; zero otherwise.

        Returns
        -------
        Steps
            Keeps what is held and the state, on the device where there is one.
        """
        return HostSteps(self, held, states)

    def close(self) -> None:  # noqa: B027 - most backends hold nothing to release
        """Release what the backend holds; the runner cannot be used afterwards."""

    @abstractmethod
    def _run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Run on a feed that fits the spec."""


class OrtRunner(Runner):
    """A stage on ONNX Runtime.

    Parameters
    ----------
    spec : StageSpec
        The contract that the graph must keep.
    model : bytes
        The ONNX file's content.
    provider : str
        Execution provider that must run the graph, for example ``CPUExecutionProvider``.
    threads : int
        Threads inside an operator; 0 chooses ``default_threads()``.

    Raises
    ------
    BackendError
        When ONNX Runtime would run on another provider than the one asked for.
    BundleError
        When the file is not a graph that ONNX Runtime accepts.
    ContractError
        When the graph's inputs or outputs are not the spec's.
    """

    def __init__(
        self,
        spec: StageSpec,
        model: bytes,
        *,
        provider: str = CPU_PROVIDER,
        threads: int = 0,
    ) -> None:
        super().__init__(spec)
        self.provider = provider
        self.threads = threads or default_threads()
        """Threads inside an operator."""
        self._cut_model = model if spec.state and provider == CPU_PROVIDER else b""
        self._parts: dict[tuple[tuple[str, ...], int], OpenParts] = {}
        self._opening = threading.Lock()
        self._session: InferenceSession | None = self._open_session(model, threads)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        _check_graph(spec, self._session)

    def close(self) -> None:
        """Free the session and its memory arena."""
        with self._opening:
            self._session = None
            self._parts.clear()

    def steps(
        self, held: Sequence[Mapping[str, Array]], states: Sequence[State] | None = None
    ) -> Steps:
        """Open streams that step together; one alone, on a CPU, in parts (``lookahead.py``)."""
        self._opened()
        if self._cut_model and len(held) == 1:
            return PartSteps(self, held, states)
        return super().steps(held, states)

    def parts(self, held: tuple[str, ...], threads: int) -> OpenParts:
        """Open the parts of a recurrent graph, once; see ``OpenParts``."""
        with self._opening:
            self._opened()
            if (held, threads) not in self._parts:
                self._parts[held, threads] = OpenParts(self.spec, self._cut_model, held, threads)
            return self._parts[held, threads]

    def _open_session(self, model: bytes, threads: int) -> InferenceSession:
        return open_session(self.spec, model, [(self.provider, {})], session_options(threads))

    def _run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        session = self._opened()
        if not self._cut_model:
            return run_session(self.spec, session, feed)
        # Of a recurrent stage, whose denormals are to be flushed.
        return own_threads().submit(run_session, self.spec, session, feed).result()

    def _opened(self) -> InferenceSession:
        """Session of a runner that was not closed."""
        if self._session is None:
            raise BackendError(f"{self.spec.name}: the runner is closed; open another one")
        return self._session


def _check_graph(spec: StageSpec, session: InferenceSession) -> None:
    """Refuse a graph whose inputs or outputs are not the spec's."""
    found = {t.name for t in session.get_inputs()}, {t.name for t in session.get_outputs()}
    wanted = set(spec.input_names), set(spec.output_names)
    if found != wanted:
        raise ContractError(
            f"{spec.name}: expected inputs {sorted(wanted[0])} and outputs {sorted(wanted[1])}, "
            f"the graph has {sorted(found[0])} and {sorted(found[1])}; "
            "export the bundle again with `emohead-export bundle`"
        )
