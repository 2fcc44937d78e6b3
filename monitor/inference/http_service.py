"""The service behind the HTTP API: fetching, decoding, judging."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import chain

from monitor.config.http import Fetching, Http
from monitor.domain import Frame, Moment
from monitor.errors import AddressRefusedError, SourceRejectedError, WrongMediaError
from monitor.inference.inference import REQUEST, Inference
from monitor.ingest.frames.picture import ArrayPicture
from monitor.ingest.untrusted.address_policy import AddressPolicy
from monitor.ingest.untrusted.fetch import Fetcher
from monitor.ingest.untrusted.images import DecodedPicture, is_image
from monitor.ingest.untrusted.sandbox import Sandbox
from monitor.serve import OcclusionRequest, Status
from monitor.serve.executor import RequestExecutor
from monitor.serve.routes import make_app
from monitor.serve.server import Server, read_token

_JUDGING = 0.75  # of a request's time; judging stops after it, complete or not
_ANSWER_S = 0.2  # kept free for sending the answer


@dataclass(slots=True)
class InferenceService:
    """See OcclusionService. Decodes in a process of its own, judges with the given models."""

    inference: Inference
    sandbox: Sandbox
    settings: Http

    def fetch_file(self, url: str, deadline: float) -> bytes:
        """See OcclusionService."""
        fetching = self.settings.fetch
        if fetching is None:
            raise AddressRefusedError("addresses are not fetched here; send base64")
        left_s = max(0.0, min(fetching.timeout_s, deadline - time.monotonic()))
        return Fetcher(_build_policy(fetching), left_s).fetch(url)

    def judge_faces(self, request: OcclusionRequest, deadline: float) -> Mapping[str, object]:
        """See OcclusionService."""
        still = is_image(request.content)
        if not still and request.media_type == "image":
            raise WrongMediaError("not a picture; send a recording as media_type video")
        wanted = request.quality_is_occlusion
        now = time.monotonic()
        judge_until = now + _JUDGING * (deadline - now)
        inference = replace(
            self.inference,
            quality_is_occlusion=self.settings.quality_is_occlusion if wanted is None else wanted,
            is_late=lambda: time.monotonic() > judge_until,
        )
        decoded = self.sandbox.decode(
            request.content, self.settings.analysis_fps, deadline - _ANSWER_S
        )
        with closing(decoded):
            first = next(decoded, None)
            if first is None:
                raise SourceRejectedError("there is no picture in it")
            pictures = chain([first], decoded)
            if still and request.media_type != "video":
                return inference.judge_pictures(ArrayPicture(one.pixels) for one in pictures)
            return inference.judge_video(_to_frames(pictures))


def _to_frames(pictures: Iterable[DecodedPicture]) -> Iterator[Frame]:
    for number, picture in enumerate(pictures):
        taken_at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=picture.seconds)
        moment = Moment(picture.seconds, taken_at)
        yield Frame(REQUEST, number, moment, ArrayPicture(picture.pixels), picture.decode_ms)


def _build_policy(fetching: Fetching) -> AddressPolicy:
    hosts = frozenset(host.rstrip(".").lower() for host in fetching.hosts)
    networks = tuple(ip_network(network) for network in fetching.private_networks)
    return AddressPolicy(hosts, networks)


@contextmanager
def open_server(settings: Http, inference: Inference, status: Status) -> Iterator[Server]:
    """Within the block, a server that listens; its ``run`` answers requests.

    Raises:
        ConfigError: It cannot listen there, or the token cannot be read.
    """
    token = read_token(settings.token_file)
    sandbox = Sandbox()
    executor = RequestExecutor(InferenceService(inference, sandbox, settings), settings.limit_s)

    def stop_work() -> None:
        """Stop decoding and judging."""
        sandbox.abort()
        executor.close()

    try:
        yield Server(settings, make_app(settings, executor, status, token), stop_work)
    finally:
        stop_work()
        sandbox.close()
