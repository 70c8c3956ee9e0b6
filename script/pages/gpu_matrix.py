"""Which library serves which GPU, by the rules of ``emohead.choosing`` on imagined machines."""

from __future__ import annotations

from emohead.choosing import choose, obstacle
from emohead.machine import CPU_PROVIDER, CUDA_PROVIDER, TENSORRT_PROVIDER, Gpu, Machine

GPUS = (
    ("GTX 1080 Ti", (6, 1)),
    ("Tesla P100", (6, 0)),
    ("Tesla V100", (7, 0)),
    ("RTX 2080 Ti, T4", (7, 5)),
    ("A100", (8, 0)),
    ("RTX 3090, A10", (8, 6)),
    ("RTX 4090, L4, L40S", (8, 9)),
    ("H100, H200", (9, 0)),
    ("B200", (10, 0)),
    ("RTX 5090", (12, 0)),
)
"""Models and their compute capability."""
COLUMNS = (
    ("onnxruntime-gpu", "cuda", "onnxruntime", ("1.22", "1.30", "1.32")),
    ("its TensorRT provider", "ort-tensorrt", "onnxruntime", ("1.22", "1.30", "1.32")),
    ("TensorRT", "tensorrt", "tensorrt", ("8.6", "10.7", "10.8", "11.0")),
    ("TensorRT-RTX", "tensorrt", "tensorrt_rtx", ("1.7",)),
)
"""Title, backend, library, and the versions that are asked about, oldest first."""


def machine(
    name: str, capability: tuple[int, int], library: str | None = None, version: str = "1.32.0"
) -> Machine:
    """Imagine a machine with one GPU, a driver of today and one library."""
    ort = version if library == "onnxruntime" else "1.32.0"
    libraries = {"onnxruntime-gpu": ort, "cuda-bindings": "13.0.3"}
    if library in ("tensorrt", "tensorrt_rtx"):
        libraries[library] = version
    return Machine(
        gpus=(Gpu(name=name, compute_capability=capability),),
        driver="580.95.05",
        libraries=libraries,
        onnxruntime=ort,
        providers=(TENSORRT_PROVIDER, CUDA_PROVIDER, CPU_PROVIDER),
    )


def matrix() -> str:
    """One row per GPU, one column per library: its versions that work."""
    head = ["GPU", *(f"{title}, `{backend}`" for title, backend, _, _ in COLUMNS), "engines in"]
    rows = [head, ["---"] * len(head)]
    for name, capability in GPUS:
        works = [_working(name, capability, *column[1:]) for column in COLUMNS]
        cells = [_range(found, column[3]) for found, column in zip(works, COLUMNS, strict=True)]
        shown = f"{name} (sm_{capability[0]}{capability[1]})"
        rows.append([shown, *cells, _precision(name, capability)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _working(
    name: str, capability: tuple[int, int], backend: str, library: str, versions: tuple[str, ...]
) -> list[str]:
    asked = [(v, machine(name, capability, library, v)) for v in versions]
    return [v for v, imagined in asked if obstacle(imagined, backend) is None]


def _range(found: list[str], asked: tuple[str, ...]) -> str:
    if not found:
        return "–"
    first = asked.index(found[0])
    if found != list(asked[first : first + len(found)]):
        raise ValueError(f"expected neighbours among the versions {asked}, got {found}")
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _precision(name: str, capability: tuple[int, int]) -> str:
    """Precision that ``choose`` gives to engines, of the first TensorRT that works."""
    for _, backend, library, versions in COLUMNS[2:]:
        for version in _working(name, capability, backend, library, versions):
            return choose(machine(name, capability, library, version), backend).precision
    return "–"
