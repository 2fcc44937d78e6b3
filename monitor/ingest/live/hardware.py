"""Decoding by a graphics card, where there is one that can; by the processor everywhere else."""

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
    """Which decoder one camera's connections get. Owned by the camera's connection.

    A card that is missing, cannot take the codec or fails at the first pictures is given up
    until the program starts again, and the log says why.

    Args:
        wanted: What the configuration asks for.
        label: How the log names the camera.
    """

    wanted: DecoderName
    label: str
    _given_up: dict[str, str] = field(init=False, default_factory=dict)  # why, by card
    _said: str = field(init=False, default="")

    @property
    def reasons(self) -> str:
        """Why cards that were wanted are not used; empty if all are."""
        return "; ".join(f"{card}: {why}" for card, why in self._given_up.items())

    def decoder(self, stream: VideoStream) -> tuple[str, VideoCodecContext]:
        """The decoder for a stream that has just been opened, and its name."""
        found = self._on_a_card(stream)
        name, context = found or (SOFTWARE, stream.codec_context)
        said = f"decoded by {name}" if found else f"decoded in software ({self.reasons})"
        if self.wanted != SOFTWARE and said != self._said:
            self._said = said
            level = logging.INFO if found or self.wanted == "auto" else logging.WARNING
            log.log(level, "%s: %s", self.label, said)
        return name, context

    def ended(self, name: str, *, pictures: int, failures: int) -> None:
        """Note how a connection went: a card that gave nothing but failures is given up."""
        if name != SOFTWARE and not pictures and failures:
            self._given_up[name] = "failed at every picture"

    def _on_a_card(self, stream: VideoStream) -> tuple[str, VideoCodecContext] | None:
        if self.wanted == SOFTWARE:
            return None
        for card in _CARDS if self.wanted == "auto" else (self.wanted,):
            if card in self._given_up:
                continue
            try:
                return card, _context(card, stream)
            except _Unusable as error:
                self._given_up[card] = str(error)
        return None


class _Unusable(Exception):  # noqa: N818  (caught here, never seen)
    """A card cannot be had, or not for this codec."""


def _context(card: str, stream: VideoStream) -> VideoCodecContext:
    """A decoder for a stream on a card; its pictures come back to main memory.

    Intel's QSV has decoders of its own; the others help the usual one.
    """
    usual = stream.codec_context
    name = f"{usual.codec.canonical_name}_qsv" if card == "qsv" else usual.name
    try:
        codec = av.Codec(name, "r")
        HWAccel(card).create(codec)  # else a missing card shows at the first picture only
        accelerator = None if card == "qsv" else HWAccel(card, allow_software_fallback=True)
        context = av.CodecContext.create(codec, "r", accelerator)
    except (UnknownCodecError, NotImplementedError) as error:
        missing = isinstance(error, av.FFmpegError)
        raise _Unusable(
            "no such device or driver here" if missing else f"cannot decode {usual.name} here"
        ) from None
    except av.FFmpegError as error:
        raise _Unusable(str(error.strerror).lower()) from None
    if not isinstance(context, VideoCodecContext):
        raise _Unusable(f"cannot decode {usual.name} here")
    context.extradata = usual.extradata
    return context
