"""What the OpenAPI document promises, tried by schemathesis on a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from emohead.client import Client
from emohead.samples import SAMPLE_FACE
from emohead.service.settings import ServiceSettings

from .quick import QuickRenderer, Running, serving

schemathesis = pytest.importorskip("schemathesis")
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE

OPERATIONS = (
    ("POST", "/v1/renders"),
    ("GET", "/v1/renders"),
    ("GET", "/v1/renders/{id}"),
    ("GET", "/v1/renders/{id}/events"),
    ("GET", "/v1/renders/{id}/video"),
    ("DELETE", "/v1/renders/{id}"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    chosen = {"rate": 0, "queue": 10_000, "keep": 20, "grace_s": 5}
    folder = tmp_path_factory.mktemp("data")
    with serving(ServiceSettings(data_dir=folder, **chosen), QuickRenderer(), None) as running:
        yield running


@pytest.fixture(scope="module")
def document(service: Running) -> Any:
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


def _try(operation: Any, mode: Any, check: Callable[[Any], None]) -> None:
    rules = settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    rules(given(case=operation.as_strategy(generation_mode=mode))(check))()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_the_document_allows_is_answered_as_it_says(
    service: Running, document: Any, voice: Path, method: str, path: str
) -> None:
    # No schema can say which words are emotions, and which files go together.
    untold = [positive_data_acceptance] if method == "POST" else []

    def check(case: Any) -> None:
        case.call_and_validate(excluded_checks=untold)

    _try(document[path][method], POSITIVE, check)
    if "{id}" in path:
        with Client(service.url) as client:
            render = client.wait(client.submit(SAMPLE_FACE, voice).id)
        case = document[path][method].Case(path_parameters={"id": render.id})
        assert case.call_and_validate().status_code in (200, 204)


@pytest.mark.parametrize(("method", "path"), [o for o in OPERATIONS if o[1].startswith("/v1")])
def test_what_the_document_forbids_is_refused(document: Any, method: str, path: str) -> None:
    def check(case: Any) -> None:
        case.call_and_validate()

    _try(document[path][method], NEGATIVE, check)


def test_every_operation_is_tried(document: Any) -> None:
    found = {(o.ok().method.upper(), o.ok().path) for o in document.get_all_operations()}
    assert found == set(OPERATIONS)
