"""The HTTP API and what it leads to: decoding, fetching, judging."""

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

_JUDGING = 0.75  # of a request's time, after which the answer is made of what was seen
_LAST_S = 0.2  # what is left for the answer itself


@dataclass(slots=True)
class InferenceService:
    """See OcclusionService. Decodes in a process of its own, judges with the models it is given."""

    inference: Inference
    sandbox: Sandbox
    settings: Http

    def fetch_file(self, url: str, deadline: float) -> bytes:
        """See OcclusionService."""
        fetching = self.settings.fetch
        if fetching is None:
            raise AddressRefusedError("addresses are not fetched here; send base64")
        left_s = max(0.0, min(fetching.timeout_s, deadline - time.monotonic()))
        return Fetcher(_rules(fetching), left_s).fetch(url)

    def judge_faces(self, request: OcclusionRequest, deadline: float) -> Mapping[str, object]:
        """See OcclusionService."""
        still = is_image(request.content)
        if not still and request.media_type == "image":
            raise WrongMediaError("not a picture; send a recording as media_type video")
        wish = request.quality_is_occlusion
        now = time.monotonic()
        enough = now + _JUDGING * (deadline - now)
        inference = replace(
            self.inference,
            quality_is_occlusion=self.settings.quality_is_occlusion if wish is None else wish,
            hurry=lambda: time.monotonic() > enough,
        )
        seen = self.sandbox.decode(request.content, self.settings.analysis_fps, deadline - _LAST_S)
        with closing(seen):
            first = next(seen, None)
            if first is None:
                raise SourceRejectedError("there is no picture in it")
            every = chain([first], seen)
            if still and request.media_type != "video":
                return inference.pictures(ArrayPicture(one.pixels) for one in every)
            return inference.video(_frames(every))


def _frames(seen: Iterable[DecodedPicture]) -> Iterator[Frame]:
    for number, one in enumerate(seen):
        taken_at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=one.seconds)
        moment = Moment(one.seconds, taken_at)
        yield Frame(REQUEST, number, moment, ArrayPicture(one.pixels), one.decode_ms)


def _rules(fetching: Fetching) -> AddressPolicy:
    hosts = frozenset(host.rstrip(".").lower() for host in fetching.hosts)
    networks = tuple(ip_network(network) for network in fetching.private_networks)
    return AddressPolicy(hosts, networks)


@contextmanager
def open_server(settings: Http, inference: Inference, status: Status) -> Iterator[Server]:
    """A server that listens already; its ``run`` answers. Within the block.

    Raises:
        ConfigError: It cannot listen there, or the token cannot be read.
    """
    token = read_token(settings.token_file)
    sandbox = Sandbox()
    executor = RequestExecutor(InferenceService(inference, sandbox, settings), settings.limit_s)

    def farewell() -> None:
        """End what still runs."""
        sandbox.abort()
        executor.close()

    try:
        yield Server(settings, make_app(settings, executor, status, token), farewell)
    finally:
        farewell()
        sandbox.close()
