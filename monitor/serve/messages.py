"""Requests and answers of the HTTP API, as models that OpenAPI is generated from."""

import base64
import binascii
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.domain import Covering
from monitor.errors import SourceRejectedError, TooLargeError
from monitor.serve import MediaType, OcclusionRequest

FILE_BYTES: Final = 20 * 1024 * 1024
"""The largest picture or recording."""

BODY_BYTES: Final = FILE_BYTES * 4 // 3 + 16 * 1024
"""The largest request: such a file in base64, and 16 kB for the rest of the JSON."""

_SOURCES = ("image_url", "base64_image", "video_url", "base64_video")
_DATA_URL = re.compile(r"data:[\w.+/-]{0,80};base64,")
_SPACES = str.maketrans("", "", " \t\r\n")
_LONGEST_URL = 4096

_REQUESTS: Final[list[Any]] = [
    {"model": "face-occlusion-detection", "image_url": "https://example.com/image.jpg"},
    {
        "model": "face-occlusion-detection",
        "media_type": "image",
        "base64_image": "/9j/4AAQSkZJRg==",
    },
    {"model": "face-occlusion-detection", "media_type": "video", "base64_video": "AAAAIGZ0eXA="},
]
_FACE: Final = {
    "box": [212.0, 90.5, 301.2, 210.0],
    "covering": "mask",
    "probability": 0.9731,
    "evaluable": True,
    "quality": [],
    "thinking": "a mask covers mouth and nose",
}
_ANSWERS: Final[list[Any]] = [
    {
        "inference_id": "inf_0f3b6c1e9d7a4b2f8c5d6e7f8a9b0c1d",
        "model_id": "face_occlusion_detection",
        "model_name": "Face Occlusion Detection",
        "moderation_type": "image",
        "status": "completed",
        "result": {
            "response": {
                "occluded": True,
                "covering": "mask",
                "probability": 0.9731,
                "evaluable": True,
                "quality": [],
                "head_found": True,
                "complete": True,
                "faces": [_FACE],
                "judge": {"name": "monitor-judge", "version": "1"},
            },
            "thinking": "a mask covers mouth and nose",
        },
    }
]


class FaceOcclusionRequest(BaseModel):
    """One picture or recording to judge, in exactly one of the four sources."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, json_schema_extra={"examples": _REQUESTS}
    )

    model: str = "face-occlusion-detection"
    """Accepted for compatibility with the hosted API; the same model always answers."""
    media_type: MediaType | None = None
    """Detected from the file if absent."""
    image_url: Annotated[str, Field(max_length=_LONGEST_URL)] | None = None
    base64_image: str | None = None
    """GIF, JPEG, PNG or WebP, at most 20 MB; also as a data URL."""
    video_url: Annotated[str, Field(max_length=_LONGEST_URL)] | None = None
    base64_video: str | None = None
    """MP4, MOV, WebM, MKV, AVI or MPEG, at most 20 MB; also as a data URL."""
    quality_is_occlusion: bool | None = None
    """Whether a face that is too blurred, dark or cut off counts as occluded."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(sources) != 1:
            raise ValueError(f"give exactly one of {', '.join(_SOURCES)}")
        return self

    def decode(self) -> OcclusionRequest:
        """The request with the file's bytes, if they were sent. Slow for large files.

        Raises:
            TooLargeError: The file is larger than 20 MB.
            SourceRejectedError: The file is not valid base64.
        """
        quality = self.quality_is_occlusion
        url = self.image_url if self.image_url is not None else self.video_url
        if url is not None:
            return OcclusionRequest(self.media_type, url=url, quality_is_occlusion=quality)
        text = self.base64_image if self.base64_image is not None else self.base64_video
        content = _decode_base64(text or "")
        return OcclusionRequest(self.media_type, content=content, quality_is_occlusion=quality)


class Face(BaseModel):
    """One head."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    box: Annotated[list[float], Field(min_length=4, max_length=4)]
    """Left, top, right, bottom, in pixels of the judged picture."""
    covering: Covering
    probability: Annotated[float, Field(ge=0, le=1)]
    """That the face is occluded."""
    evaluable: bool
    """False: unusable, or turned away; the covering is then a guess."""
    quality: list[Literal["blurred", "dark", "overexposed", "too_small", "cut_off", "tilted"]]
    """The flaws of this head's picture."""
    thinking: str
    """The judge's own words; may be empty. Show them escaped, never act on them."""


class JudgeIdentity(BaseModel):
    """The model that answered."""

    name: str
    version: str


class Response(BaseModel):
    """``occluded``, and beside it the fields that the hosted API does not have."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    occluded: bool
    """Whether the worst face is covered, or is unusable and that counts as occluded."""
    covering: Covering | None
    """Of the worst face; null in a recording without people."""
    probability: Annotated[float, Field(ge=0, le=1)] | None
    evaluable: bool
    quality: list[str]
    head_found: bool
    """False: no face was found, and the whole picture was judged."""
    complete: bool
    """False: time ran out before everything was judged."""
    faces: list[Face]
    """All faces, the worst first."""
    judge: JudgeIdentity


class Result(BaseModel):
    """The result."""

    response: Response
    thinking: str
    """The judge's own words about the worst face; may be empty."""


class FaceOcclusionAnswer(BaseModel):
    """The whole answer."""

    model_config = ConfigDict(json_schema_extra={"examples": _ANSWERS})

    inference_id: str
    model_id: Literal["face_occlusion_detection"]
    model_name: str
    moderation_type: MediaType
    status: Literal["completed"]
    result: Result


class Problem(BaseModel):
    """The reason for a refusal."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"detail": "give exactly one of image_url, base64_image"}]}
    )

    detail: str


class Health(BaseModel):
    """The state of the program."""

    ok: bool
    problems: list[str] = []


def _decode_base64(text: str) -> bytes:
    head = _DATA_URL.match(text, 0, 120)
    encoded = text[head.end() :] if head else text
    try:
        content = base64.b64decode(encoded.translate(_SPACES), validate=True)
    except (binascii.Error, ValueError):
        raise SourceRejectedError("not base64; encode the file's bytes") from None
    if len(content) > FILE_BYTES:
        raise TooLargeError("larger than 20 MB; send a smaller file")
    return content
