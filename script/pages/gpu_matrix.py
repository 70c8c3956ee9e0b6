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
    ("cuda", "onnxruntime", "1.22.0"),
    ("cuda", "onnxruntime", "1.30.0"),
    ("cuda", "onnxruntime", "1.32.0"),
    ("ort-tensorrt", "onnxruntime", "1.32.0"),
    ("tensorrt", "tensorrt", "8.6.1"),
    ("tensorrt", "tensorrt", "10.7.0"),
    ("tensorrt", "tensorrt", "10.8.0"),
    ("tensorrt", "tensorrt", "11.0.0"),
    ("tensorrt", "tensorrt_rtx", "1.7.1"),
)
"""Backend, library and version."""
_TITLES = {
    ("cuda", "onnxruntime"): "onnxruntime-gpu",
    ("ort-tensorrt", "onnxruntime"): "its TensorRT provider",
    ("tensorrt", "tensorrt"): "TensorRT",
    ("tensorrt", "tensorrt_rtx"): "TensorRT-RTX",
}


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
    """One row per GPU, one column per library."""
    titles = [f"{_TITLES[b, lib]} {'.'.join(v.split('.')[:2])}" for b, lib, v in COLUMNS]
    head = ["GPU", *titles, "engines in"]
    rows = [head, ["---"] * len(head)]
    for name, capability in GPUS:
        cells = [
            "yes" if obstacle(machine(name, capability, lib, v), b) is None else "–"
            for b, lib, v in COLUMNS
        ]
        shown = f"{name} (sm_{capability[0]}{capability[1]})"
        rows.append([shown, *cells, _precision(name, capability)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _precision(name: str, capability: tuple[int, int]) -> str:
    """Precision that ``choose`` gives to engines, of the first TensorRT that works."""
    for backend, library, version in COLUMNS:
        imagined = machine(name, capability, library, version)
        if backend == "tensorrt" and obstacle(imagined, backend) is None:
            return choose(imagined, backend).precision
    return "–"
