"""Enumerations, interfaces and plain values of TensorRT as each version has them."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class TensorIOMode(IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class DataType(IntEnum):
    FLOAT = 0
    HALF = 1
    INT64 = 8


class MemoryPoolType(IntEnum):
    WORKSPACE = 0


class PreviewFeature(IntEnum):
    PROFILE_SHARING_0806 = 0


class ErrorCode(IntEnum):
    INVALID_NODE = 5
    UNSUPPORTED_NODE = 8


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def log(self, severity: int, msg: str) -> None:
        raise NotImplementedError


class IProgressMonitor:
    pass


class ParserError:
    def __init__(self, node: int, text: str) -> None:
        self._node, self._text = node, text

    def node(self) -> int:
        return self._node

    def desc(self) -> str:
        return self._text

    def code(self) -> ErrorCode:
        return ErrorCode.UNSUPPORTED_NODE


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[Any, Any, Any]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        self.shapes[input] = (min, opt, max)


class TimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> Any:
        return memoryview(self.content)


def creation_flags(version: str) -> Any:
    names = {"8.6": {"EXPLICIT_BATCH": 0}, "10": {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}}
    return IntEnum("NetworkDefinitionCreationFlag", names.get(version, {"STRONGLY_TYPED": 1}))


def builder_flags(version: str) -> Any:
    names = {"TF32": 7}
    if version in ("8.6", "10"):
        names |= {"FP16": 0, "INT8": 1}
    if version == "rtx":
        names |= {"REQUIRE_USER_ALLOCATION": 20}
    return IntEnum("BuilderFlag", names)
