"""One TensorRT or another: ``tensorrt`` 8.6, 10.x, 11.x or ``tensorrt_rtx``, chosen at run time.

Where versions differ, ``Flavour`` has a method; nobody else asks for a version.
Who calls: ``build.py``, ``engine.py``, ``workshop.py``. Not here: building and running.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Final

from emohead.errors import BackendError

__all__ = ["FLAVOURS", "Flavour", "find_flavour", "flavour_of"]

logger = logging.getLogger(__name__)

FLAVOURS: Final = ("tensorrt", "tensorrt_rtx")
"""Import names, in the order in which ``auto`` tries them."""
OLDEST: Final = (8, 6)
INSTALL: Final = (
    "run `pip install 'emohead[tensorrt]'` for TensorRT-RTX, or install NVIDIA's full TensorRT "
    "as docs/engines.md shows"
)


@dataclass(frozen=True, eq=False)
class Flavour:
    """An imported TensorRT; make one with ``find_flavour``."""

    name: str
    """``tensorrt`` or ``tensorrt_rtx``."""
    version: str
    """Full version, as the library gives it."""
    module: Any
    """The imported module."""

    def __str__(self) -> str:
        return f"{'TensorRT-RTX' if self.is_portable else 'TensorRT'} {self.version}"

    @property
    def is_portable(self) -> bool:
        """Whether a plan fits every GPU of the supported families, and needs none to be built."""
        return self.name == "tensorrt_rtx"

    @property
    def keeps_timings(self) -> bool:
        """Whether a timing cache has any effect."""
        return not self.is_portable

    @cached_property
    def messages(self) -> Messages:
        """What this library says; one logger serves every object, as TensorRT wants it."""
        return _messages(self.module)

    def network_flags(self) -> int:
        """Give the flags for a network with explicit batch, typed by its graph from 10 on.

        Returns
        -------
        int
            Bit mask for ``Builder.create_network``.
        """
        kinds = self.module.NetworkDefinitionCreationFlag
        flags = 0
        if not self.is_portable and self._numbers < (10,):
            flags |= 1 << int(kinds.EXPLICIT_BATCH)
        if self._is_strongly_typed and hasattr(kinds, "STRONGLY_TYPED"):
            flags |= 1 << int(kinds.STRONGLY_TYPED)
        return flags

    def set_precision(self, builder: Any, config: Any, precision: str) -> None:
        """Raise the builder's flag for a precision, which only 8.6 to 9 need.

        Parameters
        ----------
        builder, config : objects of the library
            Builder and its configuration.
        precision : {"fp32", "fp16", "int8"}
            Precision of the graph.

        Raises
        ------
        BackendError
            When the GPU has no fast arithmetic of this precision.
        """
        if self._is_strongly_typed or precision == "fp32":
            return
        if not getattr(builder, f"platform_has_fast_{precision}"):
            raise BackendError(
                f"expected a GPU with fast {precision} arithmetic, this one has none "
                f"({self}); build with --precision fp32, which is faster here"
            )
        config.set_flag(getattr(self.module.BuilderFlag, precision.upper()))
        if precision == "int8":  # what is not quantised may still run in half
            config.set_flag(self.module.BuilderFlag.FP16)

    def share_profiles(self, config: Any) -> None:
        """Let several execution contexts use one profile: a choice before 10, a fact since.

        Parameters
        ----------
        config : object of the library
            The builder's configuration.
        """
        if not self.is_portable and self._numbers < (10,):
            config.set_preview_feature(self.module.PreviewFeature.PROFILE_SHARING_0806, True)

    def unsupported_nodes(self, parser: Any, model: bytes) -> list[int]:
        """Find the nodes that the parser does not support.

        Parameters
        ----------
        parser : object of the library
            A parser of an empty network; it is used up.
        model : bytes
            Content of the ONNX file.

        Returns
        -------
        list of int
            Indices into the graph's nodes.
        """
        if hasattr(parser, "supports_model_v2"):
            parser.supports_model_v2(model)
            groups = [
                (parser.get_subgraph_nodes(i), parser.is_subgraph_supported(i))
                for i in range(parser.num_subgraphs)
            ]
        else:
            groups = list(parser.supports_model(model)[1])
        return sorted(int(n) for nodes, is_supported in groups if not is_supported for n in nodes)

    def device_memory_bytes(self, engine: Any) -> int:
        """Scratch memory that one execution context of an engine takes.

        Parameters
        ----------
        engine : object of the library
            Deserialised.

        Returns
        -------
        int
            Bytes.
        """
        name = "device_memory_size_v2"
        return int(getattr(engine, name if hasattr(engine, name) else "device_memory_size"))

    @property
    def _is_strongly_typed(self) -> bool:
        """Whether types are the graph's own; a choice in 10, a fact from 11 on."""
        return self.is_portable or self._numbers >= (10,)

    @cached_property
    def _numbers(self) -> tuple[int, ...]:
        return _numbers(self.version)


class Messages:
    """Collects what TensorRT says while something is done; also written to the log."""

    def __init__(self) -> None:
        self.logger: Any = None
        """Of the library: builders, parsers and runtimes are made with it."""
        self._heard: list[str] | None = None
        self._lock = threading.RLock()

    @contextmanager
    def collect(self) -> Iterator[list[str]]:
        """Give the list to which errors and warnings are added meanwhile; one caller at a time."""
        with self._lock:
            self._heard = []
            try:
                yield self._heard
            finally:
                self._heard = None

    def hear(self, is_problem: bool, text: str) -> None:
        """Take one message.

        Parameters
        ----------
        is_problem : bool
            Whether it is an error or a warning.
        text : str
            The library's words.
        """
        if is_problem and self._heard is not None:
            self._heard.append(text)
        logger.log(logging.INFO if is_problem else logging.DEBUG, "%s", text)


def find_flavour(name: str = "auto") -> Flavour:
    """Import a TensorRT.

    Parameters
    ----------
    name : {"auto", "tensorrt", "tensorrt_rtx"}
        ``auto`` takes the first that can be imported.

    Returns
    -------
    Flavour
        Ready to build and run.

    Raises
    ------
    BackendError
        When none can be imported, or it is too old.
    """
    if name not in ("auto", *FLAVOURS):
        raise BackendError(f"expected a flavour among auto, {', '.join(FLAVOURS)}, got {name!r}")
    reasons = []
    for candidate in FLAVOURS if name == "auto" else (name,):
        try:
            return flavour_of(import_module(candidate), candidate)
        except (ImportError, OSError, RuntimeError) as err:  # also wheels without their libraries
            if isinstance(err, BackendError):
                raise
            reasons.append(f"{candidate}: {str(err).splitlines()[0] if str(err) else 'no reason'}")
    raise BackendError(
        f"expected TensorRT, but it cannot be imported ({'; '.join(reasons)}); {INSTALL}"
    )


def flavour_of(module: Any, name: str) -> Flavour:
    """Wrap an imported TensorRT, refusing versions before 8.6.

    Parameters
    ----------
    module : module
        ``tensorrt`` or ``tensorrt_rtx``.
    name : str
        Its import name.

    Returns
    -------
    Flavour

    Raises
    ------
    BackendError
        When the version is too old.
    """
    version = str(getattr(module, "__version__", "0"))
    if name == "tensorrt" and _numbers(version) < OLDEST:
        raise BackendError(f"expected TensorRT 8.6 or newer, got {version}; {INSTALL}")
    return Flavour(name, version, module)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _messages(trt: Any) -> Messages:
    """Make a collector and the library's logger that feeds it."""
    messages = Messages()
    problems = (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR, trt.ILogger.WARNING)

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            messages.hear(severity in problems, text)

    messages.logger = Logger()
    return messages
