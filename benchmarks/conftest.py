"""What every suite measures: the targets of this machine, compared before the clock starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from emohead.backends import choose_backend
from emohead.bench.networks import Sample, sample_batch
from emohead.bench.targets import find_backends, find_targets, golden_of, open_bundles
from emohead.bundle import Bundle


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let other bundles take part, for other precisions."""
    parser.addoption("--bundle", action="append", default=[], help="networks; may be repeated")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that takes a target on each one of this machine."""
    if "target" in metafunc.fixturenames:
        targets = find_targets(find_backends()[0], _bundles(metafunc.config))
        metafunc.parametrize("target", targets, ids=lambda t: t.name.replace(" ", "-"))


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    """Name the backend beside the machine in saved results."""
    backend = choose_backend("auto")
    machine_info["backend"] = f"{backend.name}, version {backend.version}"


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> Bundle:
    """Open the fp32 networks whose results are the measure."""
    return golden_of(_bundles(request.config))


@pytest.fixture(scope="session")
def sample_of(golden: Bundle) -> Callable[[str, int], Sample]:
    """Make the sample of a stage and batch size, once."""

    @cache
    def made(stage: str, batch: int) -> Sample:
        return sample_batch(golden.runner(stage, "cpu", threads=1), batch)

    return made


@cache
def _opened(paths: tuple[str, ...]) -> list[Bundle]:
    return open_bundles(paths)


def _bundles(config: pytest.Config) -> list[Bundle]:
    return _opened(tuple(config.getoption("--bundle")))
