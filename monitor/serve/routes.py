"""The routes of the HTTP API, and the status that each error of ours gets."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Depends, FastAPI, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from monitor.config.http import Http
from monitor.errors import (
    AddressRefusedError,
    JudgeError,
    SourceError,
    TooLargeError,
    WrongMediaError,
)
from monitor.runtime.version import VERSION
from monitor.serve import Status
from monitor.serve.admission import OCCLUSION_PATH, RETRY_S, Admission, Slot, check_token
from monitor.serve.executor import RequestExecutor
from monitor.serve.messages import FaceOcclusionAnswer, FaceOcclusionRequest, Health, Problem
from monitor.serve.metrics import CONTENT_TYPE, Metrics

_OK = 200
_BAD_REQUEST = 400
_UNREADABLE = 422
_UNAVAILABLE = 503
_STATUS: Final[dict[type[Exception], int]] = {
    AddressRefusedError: 403,
    TooLargeError: 413,
    WrongMediaError: 415,
}
_REASONS: Final = {
    400: "The request was cut off.",
    401: "The token is missing or wrong.",
    403: "Files are not fetched from this address.",
    408: "The body took too long.",
    413: "Too many bytes or pixels. A body that is too large is refused before it is read.",
    415: "Not JSON, or not a known kind of picture or recording.",
    422: "Not the expected JSON, or a file that cannot be read.",
    429: "Busy; retry after Retry-After seconds. Answered before the body is read.",
    503: "The judge gave no answer; retry after Retry-After seconds.",
}


def make_app(
    settings: Http, executor: RequestExecutor, status: Status, token: str | None = None
) -> FastAPI:
    """The application, for any ASGI server.

    Args:
        settings: The limits of admission.
        executor: Answers admitted requests.
        status: For ``/readyz`` and ``/metrics``.
        token: What callers must send; None admits all.
    """
    app = FastAPI(
        title="monitor",
        version=VERSION,
        description="What covers the faces in a picture or a recording.",
        docs_url=None,  # their page loads scripts from elsewhere
        redoc_url=None,
        exception_handlers={
            RequestValidationError: _explain_wrong_fields,
            HTTPException: _explain_refusal,
            SourceError: _explain_source_error,
            JudgeError: _explain_judge_error,
        },
    )
    metrics = Metrics(status)
    app.add_middleware(Admission, settings=settings, metrics=metrics, token=token)
    guard = [] if token is None else [_require_token(token)]
    _add_face_occlusion(app, executor, guard)
    _add_metrics(app, metrics, guard)
    _add_health(app, status)
    return app


def _require_token(token: str) -> Any:  # noqa: ANN401  (as FastAPI types its dependencies)
    """A dependency that refuses callers without the token, and describes it in OpenAPI."""
    bearer = HTTPBearer(scheme_name="bearer", auto_error=False)

    async def require_token(request: Request, _: Any = Security(bearer)) -> None:  # noqa: ANN401, B008
        """Admission has checked it before, where there is a body."""
        check_token(request.headers, token)

    return Depends(require_token)


def _get_slot(request: Request) -> Slot:
    slot: Slot = request.state.slot
    return slot


def _add_face_occlusion(app: FastAPI, executor: RequestExecutor, guard: list[Any]) -> None:
    @app.post(
        OCCLUSION_PATH,
        summary="What covers the faces in one picture or recording?",
        response_model=FaceOcclusionAnswer,
        responses={code: _describe_reason(reason) for code, reason in _REASONS.items()},
        dependencies=guard,
    )
    async def face_occlusion(
        request: FaceOcclusionRequest,
        slot: Slot = Depends(_get_slot),  # noqa: B008, FAST002  (how FastAPI declares them)
    ) -> Mapping[str, object]:
        """Judge every face; the worst decides. Without a face, judge the whole picture."""
        return await executor.execute(request, slot)


def _add_metrics(app: FastAPI, metrics: Metrics, guard: list[Any]) -> None:
    @app.get(
        "/metrics",
        summary="Numbers for Prometheus.",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            401: _describe_reason(_REASONS[401]),
        },
        dependencies=guard,
    )
    async def show_metrics() -> Response:
        """Requests so far, and the state of the cameras, the judge and the outbox."""
        return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE})


def _add_health(app: FastAPI, status: Status) -> None:
    """The two routes for whatever watches the process. They name no camera."""

    @app.get("/healthz", summary="Is the process alive?")
    async def check_alive() -> Health:
        """Always ok: an answer is proof enough."""
        return Health(ok=True)

    @app.get(
        "/readyz",
        summary="Does it work: are frames fresh, does the judge answer, do alerts go out?",
        response_model=Health,
        responses={503: {"model": Health, "description": "Something does not work."}},
    )
    async def check_ready() -> JSONResponse:
        """The parts that do not work, if any."""
        problems = sorted(status.list_problems())
        health = Health(ok=not problems, problems=problems)
        return JSONResponse(health.model_dump(), _UNAVAILABLE if problems else _OK)


def _describe_reason(reason: str) -> dict[str, Any]:
    return {"model": Problem, "description": reason}


async def _explain_wrong_fields(_: Request, error: Exception) -> Response:
    """One line with up to five wrong fields, without their values."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  (Starlette's signature is wider)
    parts = []
    for problem in error.errors()[:5]:
        place = ".".join(str(part) for part in problem["loc"][1:])
        if problem["type"] == "json_invalid":
            place = ""  # a position in the text
        parts.append(f"{place or 'body'}: {problem['msg'].removeprefix('Value error, ')}")
    return _make_problem(_UNREADABLE, "; ".join(parts))


async def _explain_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (Starlette's signature is wider)
    if error.status_code == _BAD_REQUEST:  # FastAPI's own, such as for JSON nested too deeply
        return _make_problem(_UNREADABLE, "body: not readable as JSON")
    return _make_problem(error.status_code, str(error.detail), error.headers)


async def _explain_source_error(_: Request, error: Exception) -> Response:
    return _make_problem(_STATUS.get(type(error), _UNREADABLE), str(error))


async def _explain_judge_error(_: Request, error: Exception) -> Response:
    headers = {"Retry-After": str(RETRY_S)}
    return _make_problem(_UNAVAILABLE, f"the judge gave no answer: {error}", headers)


def _make_problem(code: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(Problem(detail=detail).model_dump(), code, headers)
