"""The HTTP API: what is asked for where, and who may."""

import time
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from monitor.config.http import Http
from monitor.runtime.version import VERSION
from monitor.serve import Status
from monitor.serve.admission import EarlyAnswer, RequestSlots, body_of, check_caller, check_head
from monitor.serve.executor import RequestExecutor
from monitor.serve.messages import FaceOcclusionAnswer, FaceOcclusionRequest, Health, Problem
from monitor.serve.metrics import CONTENT_TYPE, Metrics

PATH: Final = "/v1/face-occlusion"
_OK = 200
_WHY: Final = {
    400: "The request was cut off.",
    401: "The token is missing or wrong.",
    403: "The address is not one that is fetched from.",
    408: "The request did not come in time.",
    413: "More bytes or pixels than are taken. Answered before the body is read.",
    415: "Not JSON, or not a picture or recording of a known kind.",
    422: "Not the JSON that is expected, or a file that cannot be read.",
    429: "Busy; come again after Retry-After seconds. Answered before the body is read.",
    503: "The judge gives no answer; come again after Retry-After seconds.",
}


def make_app(
    settings: Http, executor: RequestExecutor, status: Status, token: str | None = None
) -> FastAPI:
    """The application, for any ASGI server.

    Args:
        settings: How much is taken at a time.
        executor: Answers what was let in.
        status: For ``/readyz`` and ``/metrics``.
        token: What callers must send; None lets everybody in.
    """
    app = FastAPI(
        title="monitor",
        version=VERSION,
        description="What covers the faces in a picture or a recording.",
        docs_url=None,  # their page loads scripts from elsewhere
        redoc_url=None,
    )
    _Routes(settings, executor, Metrics(status), token).hang(app)
    _add_health(app, status)
    return app


class _Routes:
    """The routes that a token guards."""

    def __init__(
        self, settings: Http, executor: RequestExecutor, metrics: Metrics, token: str | None
    ) -> None:
        self._slots = RequestSlots(settings.waiting)
        self._limit_s = settings.limit_s
        self._executor = executor
        self._metrics = metrics
        self._token = token

    def hang(self, app: FastAPI) -> None:
        """Add the routes."""
        app.post(
            PATH,
            summary="What covers the faces in one picture or recording?",
            response_model=FaceOcclusionAnswer,
            responses={code: _problem(why) for code, why in _WHY.items()},
            openapi_extra=_body_and_token(guarded=self._token is not None),
        )(self.face_occlusion)
        app.get(
            "/metrics",
            summary="Numbers for Prometheus.",
            response_class=Response,
            responses={
                200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
                401: _problem(_WHY[401]),
            },
        )(self.numbers)

    async def face_occlusion(self, request: Request) -> Response:
        """Judge every face; the worst decides. Where none is found, the whole picture."""
        started = time.monotonic()
        with self._metrics.running.track_inprogress():
            response = await self._answered(request)
        self._metrics.answered(response.status_code, time.monotonic() - started)
        return response

    async def numbers(self, request: Request) -> Response:
        """How much was done, and how the cameras, the judge and the outbox are."""
        check_caller(request, self._token)
        return Response(self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _answered(self, request: Request) -> Response:
        try:
            check_caller(request, self._token)
            check_head(request)
            self._slots.take()
        except HTTPException as refusal:
            return _early(refusal)
        try:
            body = await body_of(request, self._limit_s)
        except HTTPException as refusal:
            self._slots.leave()
            return _early(refusal)
        try:
            return JSONResponse(dict(await self._executor.answer(body, self._slots)))
        except HTTPException as refusal:
            return JSONResponse(
                {"detail": refusal.detail}, refusal.status_code, headers=refusal.headers
            )


def _early(refusal: HTTPException) -> EarlyAnswer:
    return EarlyAnswer({"detail": refusal.detail}, refusal.status_code, headers=refusal.headers)


def _add_health(app: FastAPI, status: Status) -> None:
    """The two routes for whoever watches over the process; they tell no names."""

    @app.get("/healthz", summary="Is the process alive?")
    async def alive() -> Health:
        """Yes, if this is answered at all."""
        return Health(ok=True)

    @app.get(
        "/readyz",
        summary="Does it do its work: are frames fresh, does the judge answer, do alerts go out?",
        response_model=Health,
        responses={503: {"model": Health, "description": "Something does not work."}},
    )
    async def ready() -> JSONResponse:
        """What does not work, if anything."""
        problems = sorted(status.problems())
        answer = Health(ok=not problems, problems=problems)
        return JSONResponse(answer.model_dump(), 503 if problems else _OK)


def _problem(why: str) -> dict[str, Any]:
    return {"model": Problem, "description": why}


def _body_and_token(*, guarded: bool) -> dict[str, Any]:
    """What the route says of its input, which it reads itself."""
    schema = FaceOcclusionRequest.model_json_schema()
    extra: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
    }
    if guarded:
        extra["security"] = [{"bearer": []}]
    return extra
