"""The OpenAPI document: what it promises is what is answered, whatever is asked.

More examples, against a ``monitor serve`` that runs:

    schemathesis run http://127.0.0.1:8470/openapi.json --max-examples 500 --checks
        not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from monitor.serve.messages import FaceOcclusionAnswer, FaceOcclusionRequest
from monitor.serve.server import Server
from tests.support.fakes_http import FakeService, answering_server, open_service

pytestmark = pytest.mark.slow

load_all_checks()
KEPT: Any = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    ]
)
WHERE = [
    ("POST", "/v1/face-occlusion"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
]


@pytest.fixture(scope="module")
def service() -> FakeService:
    return open_service()


@pytest.fixture(scope="module")
def server(service: FakeService) -> Iterator[Server]:
    with answering_server(service) as made:
        yield made


@pytest.mark.parametrize(("method", "path"), WHERE)
def test_whatever_is_asked_the_answer_is_as_promised(
    server: Server, method: str, path: str
) -> None:
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    operation = schema[path][method]

    @settings(
        max_examples=12 if method == "POST" else 3,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: "schemathesis.Case[Any]") -> None:
        """Ask once."""
        assert case.call_and_validate(checks=KEPT).status_code < 500

    ask()


def test_the_examples_are_true(server: Server, service: FakeService) -> None:
    document = httpx.get(f"{server.address}/openapi.json").json()
    body = document["paths"]["/v1/face-occlusion"]["post"]["requestBody"]
    reference = body["content"]["application/json"]["schema"]["$ref"]
    examples = document["components"]["schemas"][reference.rpartition("/")[2]]["examples"]
    assert len(examples) >= 3
    before = len(service.requests)
    for example in examples:
        assert FaceOcclusionRequest.model_validate(example).model
        answer = httpx.post(f"{server.address}/v1/face-occlusion", json=example)
        assert answer.status_code == 200
    assert len(service.requests) == before + len(examples)
    for example in document["components"]["schemas"]["FaceOcclusionAnswer"]["examples"]:
        assert FaceOcclusionAnswer.model_validate(example).model_dump(mode="json") == example


@pytest.mark.parametrize("token", [None, "hunter2"])
def test_the_document_says_where_a_token_is_needed(token: str | None) -> None:
    with answering_server(open_service(), token=token) as server:
        document = httpx.get(f"{server.address}/openapi.json").json()
    guarded = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("security") == [{"bearer": []}]
    }
    assert guarded == ({"/v1/face-occlusion", "/metrics"} if token else set())
    assert ("securitySchemes" in document["components"]) is (token is not None)
