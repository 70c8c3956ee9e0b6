"""Sessions of ONNX Runtime: opened on the provider that was asked for, or not at all.

Who calls: the runners and what they are made of (``runner.py``, ``lookahead.py``, ``ort_gpu.py``).
Not here: whether a feed fits (``feeds.py``), choosing a provider (``backends.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from numpy.typing import NDArray

from emohead.contract import StageSpec
from emohead.denormals import own_threads
from emohead.errors import BackendError, BundleError, first_line
from emohead.machine import CPU_PROVIDER, num_cores

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

__all__ = ["default_threads", "open_session", "run_session", "session_options"]

MAX_THREADS: Final = 8
"""Threads of a session beyond which networks this small gain nothing."""
Array = NDArray[Any]


def default_threads() -> int:
    """Count the threads for a session: the cores this process may use, at most eight."""
    return max(1, min(MAX_THREADS, num_cores()))


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
            f"{wanted}, got: {first_line(err)}; export the bundle again with "
            "`emohead-export bundle`, or choose another backend"
        ) from err
    actual = session.get_providers()[0]
    if actual != wanted:
        raise BackendError(
            f"{spec.name}: expected to run on {wanted}, onnxruntime offers {actual}; "
            "check `emohead doctor`, or choose another backend"
        )
    return session


def run_session(
    spec: StageSpec, session: InferenceSession, feed: Mapping[str, Array]
) -> dict[str, Array]:
    """Run a session on what it reads.

    Parameters
    ----------
    spec : StageSpec
        Names the stage in errors.
    session : onnxruntime.InferenceSession
    feed : mapping of str to numpy.ndarray
        Every input of the session.

    Returns
    -------
    dict of str to numpy.ndarray
        Every output by its name.

    Raises
    ------
    BackendError
        When ONNX Runtime fails, for example for lack of memory.
    """
    names = [o.name for o in session.get_outputs()]
    try:
        results = session.run(names, dict(feed))
    except Exception as err:  # onnxruntime's own exceptions share no public root
        raise BackendError(
            f"{spec.name}: expected to run on {session.get_providers()[0]}, onnxruntime failed: "
            f"{first_line(err)}; free memory or choose another backend"
        ) from err
    return dict(zip(names, cast("list[Array]", results), strict=True))
