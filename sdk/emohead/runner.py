"""Runners: one stage each, feed checked against its spec, then run.

Recurrent state never hides here: it enters and leaves as named tensors that the caller owns.
Who calls: ``bundle.py`` makes them; the pipeline and the tests take any ``Runner``.
Not here: choosing a backend (``backends.py``), reading files (``bundle.py``).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from emohead.contract import Dim, StageSpec, TensorSpec
from emohead.denormals import own_threads
from emohead.errors import BackendError, BundleError, ContractError
from emohead.lookahead import OpenParts, PartSteps
from emohead.machine import CPU_PROVIDER, num_cores
from emohead.steps import HostSteps, State, Steps

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

__all__ = [
    "OrtRunner",
    "Runner",
    "check_feed",
    "default_threads",
    "open_session",
    "run_session",
    "session_options",
]

Array = NDArray[Any]
MAX_THREADS = 8


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


def check_feed(
    spec: StageSpec, feed: Mapping[str, Array], names: Sequence[str] | None = None
) -> None:
    """Compare a feed with a spec: names, dtypes, shapes, agreement of axes, finite values.

    Parameters
    ----------
    spec : StageSpec
        The contract.
    feed : mapping of str to numpy.ndarray
        Arrays by input name.
    names : sequence of str, optional
        Inputs that the feed must have; all of them by default.

    Raises
    ------
    ContractError
        At the first difference, with what was expected, what was given and what to do.
    """
    wanted = spec.input_names if names is None else tuple(names)
    if feed.keys() != set(wanted):
        raise ContractError(_names_differ(spec, feed, wanted))
    lengths: dict[str, tuple[int, str]] = {}
    for tensor in map(spec.input, wanted):
        array = feed[tensor.name]
        _check_type(spec, tensor, array)
        for dim, length in zip(tensor.dims, array.shape, strict=True):
            if not dim.min <= length <= dim.max:
                raise ContractError(_length_differs(spec, tensor, array, dim, length))
            if dim.is_dynamic and lengths.setdefault(dim.name, (length, tensor.name))[0] != length:
                other, owner = lengths[dim.name]
                raise ContractError(
                    f"{spec.name}: expected one length of axis {dim.name}, got {other} in {owner} "
                    f"and {length} in {tensor.name}; give both the same {dim.name}"
                )
        if not _is_finite(array):
            bad = int(array.size - np.isfinite(array).sum())
            raise ContractError(
                f"{spec.name}: expected finite values in {tensor.name}, got {bad} NaN or "
                f"infinite of {array.size}; mend the data that the stage is fed with"
            )


def default_threads() -> int:
    """Count the threads for a session: the cores this process may use, at most eight."""
    return max(1, min(MAX_THREADS, num_cores()))


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
        self._session = None
        self._parts.clear()

    def steps(
        self, held: Sequence[Mapping[str, Array]], states: Sequence[State] | None = None
    ) -> Steps:
        """Open streams that step together; one alone, on a CPU, in parts (``lookahead.py``)."""
        if self._cut_model and len(held) == 1:
            return PartSteps(self, held, states)
        return super().steps(held, states)

    def parts(self, held: tuple[str, ...], threads: int) -> OpenParts:
        """Open the parts of a recurrent graph, once; see ``OpenParts``."""
        with self._opening:
            if (held, threads) not in self._parts:
                self._parts[held, threads] = OpenParts(self.spec, self._cut_model, held, threads)
            return self._parts[held, threads]

    def _open_session(self, model: bytes, threads: int) -> InferenceSession:
        return open_session(self.spec, model, [(self.provider, {})], session_options(threads))

    def _run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        if self._session is None:
            raise BackendError(f"{self.spec.name}: the runner is closed; open another one")
        if not self._cut_model:
            return run_session(self.spec, self._session, feed)
        # Of a recurrent stage, whose denormals are to be flushed.
        return own_threads().submit(run_session, self.spec, self._session, feed).result()


def run_session(
    spec: StageSpec, session: InferenceSession, feed: Mapping[str, Array]
) -> dict[str, Array]:
    """Run a session on what it reads; its outputs by name, or a BackendError that says why not."""
    names = [o.name for o in session.get_outputs()]
    try:
        results = session.run(names, dict(feed))
    except Exception as err:  # onnxruntime's own exceptions share no public root
        raise BackendError(
            f"{spec.name}: expected to run on {session.get_providers()[0]}, onnxruntime failed: "
            f"{str(err).splitlines()[0]}; free memory or choose another backend"
        ) from err
    return dict(zip(names, cast("list[Array]", results), strict=True))


def session_options(threads: int) -> SessionOptions:
    """Make options that suit many small sessions on few cores; 0 threads chooses."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_cpu_mem_arena = True
    options.log_severity_level = 3
    # Nine sessions share few cores: idle workers must sleep, not spin, or they slow each other.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Decaying recurrent states reach denormals, which are a hundred times slower to multiply.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


def open_session(
    spec: StageSpec,
    model: bytes,
    providers: Sequence[tuple[str, dict[str, str]]],
    options: SessionOptions,
) -> InferenceSession:
    """Open a graph, and refuse a session that would run elsewhere than on the first provider.

    Parameters
    ----------
    spec : StageSpec
        Names the stage in errors.
    model : bytes
        The ONNX file's content.
    providers : sequence of (name, options)
        Execution providers, the wanted one first; the CPU's comes last by itself.
    options : onnxruntime.SessionOptions
        Of the session.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    BackendError
        When another provider would run the graph.
    BundleError
        When ONNX Runtime does not accept the graph.
    """
    import onnxruntime as ort

    wanted = providers[0][0]
    cpu: list[tuple[str, dict[str, str]]] = [] if wanted == CPU_PROVIDER else [(CPU_PROVIDER, {})]
    try:
        # In a thread of our own: the first session of a process changes its thread's arithmetic.
        opening = own_threads().submit(
            ort.InferenceSession, model, options, providers=[*providers, *cpu]
        )
        session = opening.result()
    except Exception as err:  # onnxruntime's own exceptions share no public root
        raise BundleError(
            f"{spec.name}: expected an ONNX graph that onnxruntime {ort.__version__} can open on "
            f"{wanted}, got: {str(err).splitlines()[0]}; export the bundle again with "
            "`emohead-export bundle`, or choose another backend"
        ) from err
    actual = session.get_providers()[0]
    if actual != wanted:
        raise BackendError(
            f"{spec.name}: expected to run on {wanted}, onnxruntime offers {actual}; "
            "check `emohead doctor`, or choose another backend"
        )
    return session


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


def _check_type(spec: StageSpec, tensor: TensorSpec, array: Array) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != tensor.dtype:
        got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise ContractError(
            f"{spec.name}: expected {tensor.name} as a numpy array of {tensor.dtype}, got {got}; "
            f"convert it with numpy.asarray(x, dtype={tensor.dtype!r})"
        )
    if array.ndim != len(tensor.dims):
        raise ContractError(
            f"{spec.name}: expected {tensor.name} of shape {_shape_text(tensor)}, got "
            f"{array.shape}; add or drop axes, the batch axis included"
        )


def _is_finite(array: Array) -> bool:
    """Whether all values are finite; one product instead of a mask, six times faster."""
    flat = array.ravel()
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.dot(flat, flat))) or bool(np.isfinite(flat).all())


def _names_differ(spec: StageSpec, feed: Mapping[str, Array], wanted: Sequence[str]) -> str:
    missing = [n for n in wanted if n not in feed]
    unknown = sorted(set(feed) - set(wanted))
    return (
        f"{spec.name}: expected inputs {list(wanted)}, missing {missing}, "
        f"unknown {unknown}; feed every input of the spec and no other"
    )


def _length_differs(
    spec: StageSpec, tensor: TensorSpec, array: Array, dim: Dim, length: int
) -> str:
    remedy = "split the data into shorter runs" if length > dim.max else "pad or gather more data"
    if not dim.is_dynamic:
        remedy = "resize the data to this length"
    return (
        f"{spec.name}: expected {tensor.name} of shape {_shape_text(tensor)}, got {array.shape}: "
        f"axis {dim.name} has {length}; {remedy}"
    )


def _shape_text(tensor: TensorSpec) -> str:
    lengths = [f"{d.name} {d.min}..{d.max}" if d.is_dynamic else str(d.min) for d in tensor.dims]
    return f"({', '.join(lengths)})"
