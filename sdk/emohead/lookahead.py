"""Steps of one stream on a CPU, in parts: what does not need the state is computed ahead of it.

A recurrent graph's state leaves little to do in order. The rest runs for several frames side by
side, one core each, which wastes none of the waiting inside a network. Called by ``runner.py``.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from emohead.contract import StageSpec
from emohead.denormals import own_threads
from emohead.graph_parts import Value, parts_of
from emohead.machine import CPU_PROVIDER
from emohead.sessions import open_session, run_session, session_options
from emohead.steps import State, Steps, unbatched

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from emohead.runner import OrtRunner

__all__ = ["OpenParts", "PartSteps"]

Array = NDArray[Any]
Arrays = dict[str, Array]
ONCE, AHEAD, STEP = range(3)


class OpenParts:
    """Sessions of a recurrent graph's parts, for one stream.

    Parameters
    ----------
    spec : StageSpec
    model : bytes
        The whole graph.
    held : sequence of str
        Inputs that never change.
    threads : int
        Of one part's call.
    """

    def __init__(self, spec: StageSpec, model: bytes, held: Sequence[str], threads: int) -> None:
        states = [s.input for s in spec.state]
        fed = [n for n in spec.input_names if n not in {*held, *states}]
        parts = parts_of(model, [held, fed, states])
        batch = spec.inputs[0].dims[0].name
        passed: dict[str, Value] = {}
        self._spec = spec
        self._sessions: list[InferenceSession | None] = []
        for part in range(parts.num_parts):
            if not parts.results_of(part):
                self._sessions.append(None)
                continue
            options = session_options(threads)
            options.add_free_dimension_override_by_name(batch, 1)
            # An arena grows with how calls happen to overlap, and is no faster (measured).
            options.enable_cpu_mem_arena = False
            graph = parts.model_of(part, passed)
            session = open_session(spec, graph, [(CPU_PROVIDER, {})], options)
            passed.update({o.name: _value(o) for o in session.get_outputs()})
            self._sessions.append(session)

    def run(self, part: int, known: Mapping[str, Array]) -> Arrays:
        """Run a part on what is known; returns what it gives."""
        session = self._sessions[part]
        if session is None:
            return {}
        feed = {i.name: known[i.name] for i in session.get_inputs()}
        return run_session(self._spec, session, feed)


class PartSteps(Steps):
    """One stream through the parts of a recurrent stage.

    Parameters
    ----------
    runner : OrtRunner
        On the CPU.
    held, states
        As for ``Steps``, of one stream.
    """

    def __init__(
        self,
        runner: OrtRunner,
        held: Sequence[Mapping[str, Array]],
        states: Sequence[State] | None = None,
    ) -> None:
        super().__init__(runner.spec, held, states)
        self._runner = runner
        constants, self._state = self._joined(held, states)
        self._names = tuple(constants)
        self._known: Arrays = dict(constants)
        self._is_prepared = False

    def states(self) -> list[dict[str, Array]]:
        """Copy the state of the stream."""
        return unbatched(self.spec, self._state, self.batch)

    def _step(self, feed: Mapping[str, Array]) -> Arrays:
        parts = self._parts(self._runner.threads)

        def both() -> Arrays:
            seen = parts.run(AHEAD, {**self._known, **feed})
            return self._after(parts, seen)

        return self._kept(own_threads().submit(both).result())

    def run_through(self, feeds: Iterable[Mapping[str, Array]]) -> Iterator[Arrays]:
        """Run steps whose feeds are known; those to come are begun as cores are free."""
        parts = self._parts(1)
        most = self._runner.threads + 1 if self._runner.threads > 1 else 1
        begun: deque[Future[Arrays]] = deque()
        try:
            for feed in feeds:
                self.check(feed)
                known = {**self._known, **feed}
                begun.append(own_threads().submit(parts.run, AHEAD, known))
                if len(begun) >= most:
                    yield self._finished(parts, begun.popleft())
            while begun:
                yield self._finished(parts, begun.popleft())
        finally:
            for future in begun:
                future.cancel()

    def _finished(self, parts: OpenParts, seen: Future[Arrays]) -> Arrays:
        return self._kept(own_threads().submit(self._after, parts, seen.result()).result())

    def _parts(self, threads: int) -> OpenParts:
        """Open the parts, and compute once what never changes."""
        parts = self._runner.parts(self._names, threads)
        if not self._is_prepared:
            self._known.update(own_threads().submit(parts.run, ONCE, self._known).result())
            self._is_prepared = True
        return parts

    def _after(self, parts: OpenParts, seen: Arrays) -> Arrays:
        made = parts.run(STEP, {**self._known, **seen, **self._state})
        return {n: a for n, a in {**seen, **made}.items() if n in self.spec.output_names}

    def _kept(self, results: Arrays) -> Arrays:
        """Keep the new state of a step's results, and return the others."""
        self._state = {s.input: results.pop(s.output) for s in self.spec.state}
        return results


def _value(output: Any) -> Value:
    element = re.fullmatch(r"tensor\((\w+)\)", output.type)
    assert element is not None, output.type
    return Value(name=output.name, element=element[1], shape=output.shape)
