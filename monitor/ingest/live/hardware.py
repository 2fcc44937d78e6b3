"""Decoding on a graphics card where one can; otherwise in software."""

import logging
from dataclasses import dataclass, field

import av
from av.codec.codec import UnknownCodecError
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from monitor.config.sources import DecoderName

log = logging.getLogger(__name__)

SOFTWARE = "software"
_CARDS = ("cuda", "vaapi", "qsv")  # in the order in which "auto" tries them


@dataclass(slots=True)
class Hardware:
    """Chooses the decoder of one camera's connections. Owned by the camera's connection.

    A card that is missing, does not support the codec or fails at the first pictures is not
    tried again until the program restarts, and the log says why.

    Args:
        wanted: The decoder that the configuration names.
        label: The camera's name in the log.
    """

    wanted: DecoderName
    label: str
    _given_up: dict[str, str] = field(init=False, default_factory=dict)  # why, by card
    _logged: str = field(init=False, default="")

    @property
    def reasons(self) -> str:
        """Why the wanted cards are not used; empty if they are."""
        return "; ".join(f"{card}: {why}" for card, why in self._given_up.items())

    def create_decoder(self, stream: VideoStream) -> tuple[str, VideoCodecContext]:
        """Create the decoder for a stream that has just been opened; returns its name, too."""
        on_card = self._create_on_card(stream)
        name, context = on_card or (SOFTWARE, stream.codec_context)
        text = f"decoded by {name}" if on_card else f"decoded in software ({self.reasons})"
        if self.wanted != SOFTWARE and text != self._logged:
            self._logged = text
            level = logging.INFO if on_card or self.wanted == "auto" else logging.WARNING
            log.log(level, "%s: %s", self.label, text)
        return name, context

    def record_result(self, name: str, *, pictures: int, failures: int) -> None:
        """Record how a connection went: a card that only failed is not tried again."""
        if name != SOFTWARE and not pictures and failures:
            self._given_up[name] = "failed at every picture"

    def _create_on_card(self, stream: VideoStream) -> tuple[str, VideoCodecContext] | None:
        if self.wanted == SOFTWARE:
            return None
        for card in _CARDS if self.wanted == "auto" else (self.wanted,):
            if card in self._given_up:
                continue
            try:
                return card, _create_card_context(card, stream)
            except _CardUnusableError as error:
                self._given_up[card] = str(error)
        return None


class _CardUnusableError(Exception):
    """The card is missing, or does not support the codec."""


def _create_card_context(card: str, stream: VideoStream) -> VideoCodecContext:
    """Create a decoder for a stream on a card; its pictures come back to main memory.

    Intel's QSV has its own decoders; the other cards accelerate the usual one.
    """
    usual = stream.codec_context
    name = f"{usual.codec.canonical_name}_qsv" if card == "qsv" else usual.name
    try:
        codec = av.Codec(name, "r")
        HWAccel(card).create(codec)  # otherwise a missing card shows only at the first picture
        accelerator = None if card == "qsv" else HWAccel(card, allow_software_fallback=True)
        context = av.CodecContext.create(codec, "r", accelerator)
    except (UnknownCodecError, NotImplementedError) as error:
        missing = isinstance(error, av.FFmpegError)
        raise _CardUnusableError(
            "no such device or driver here" if missing else f"cannot decode {usual.name} here"
        ) from None
    except av.FFmpegError as error:
        raise _CardUnusableError(str(error.strerror).lower()) from None
    if not isinstance(context, VideoCodecContext):
        raise _CardUnusableError(f"cannot decode {usual.name} here")
    context.extradata = usual.extradata
    return context
