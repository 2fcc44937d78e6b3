"""The MQTT contract for other programs: JSON Schemas and an AsyncAPI 3 document.

Generated from the models that payloads are model_schema with, so both always agree.

Source:
    AsyncAPI specification 3.0.0, and its MQTT bindings, version 0.2.0.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from monitor.publish.contract.homeassistant import DiscoveryV1
from monitor.publish.contract.models import (
    AlertV1,
    AnswerV1,
    CommandV1,
    CoveredV1,
    HealthV1,
    Order,
    StateV1,
    TamperingV1,
)
from monitor.publish.contract.payload import find_content_type
from monitor.runtime.version import VERSION

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_CAMERA = "monitor/v1/{site}/{camera}/"
_PARAMETERS = {
    "site": "The setting `site`.",
    "camera": "A camera's name in the configuration.",
    "prefix": "The setting `mqtt.discovery_prefix`.",
    "device": "`monitor_<site>_<camera>`.",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of topic."""

    name: str
    address: str
    summary: str
    payload: type[BaseModel] | Literal["word", "jpeg"]
    retained: bool = True
    action: Literal["send", "receive"] = "send"  # as this program does
    values: tuple[str, ...] = ()


CHANNELS = (
    Channel("alert", _CAMERA + "alert", "One state of one alert.", AlertV1, retained=False),
    Channel(
        "tampering",
        _CAMERA + "tampering",
        "A camera was tampered with, or is well again.",
        TamperingV1,
        retained=False,
    ),
    Channel("state", _CAMERA + "state", "State of a camera; it expires.", StateV1),
    Channel("covered", _CAMERA + "covered", "Whether alerts are open.", CoveredV1),
    Channel("snapshot", _CAMERA + "snapshot", "Picture of the latest alert.", "jpeg"),
    Channel(
        "command",
        _CAMERA + "command",
        "Command for a camera, as JSON or as a bare word. Never retained.",
        CommandV1,
        retained=False,
        action="receive",
    ),
    Channel(
        "response",
        _CAMERA + "command/response",
        "Response to a command that named no response topic.",
        AnswerV1,
        retained=False,
    ),
    Channel("health", "monitor/v1/{site}/health", "Health of the program itself.", HealthV1),
    Channel(
        "status",
        "monitor/v1/{site}/status",
        "Whether the site is online; `offline` is also the will.",
        "word",
        values=("online", "offline"),
    ),
    Channel(
        "discovery",
        "{prefix}/device/{device}/config",
        "Home Assistant's device discovery, if enabled; an empty payload removes the device.",
        DiscoveryV1,
    ),
    Channel(
        "birth",
        "{prefix}/status",
        "Home Assistant has started; the discovery is then sent again.",
        "word",
        retained=False,
        action="receive",
        values=("online", "offline"),
    ),
)
_REPLY: dict[str, dict[str, object]] = {
    "reply": {  # the requester chooses its address
        "address": None,
        "description": "Response to a command, on the response topic that it named.",
        "messages": {"response": {"$ref": "#/components/messages/response"}},
    }
}


def build_documents() -> dict[str, dict[str, object]]:
    """Return the documents by file name."""
    schemas: dict[str, dict[str, object]] = {
        f"{channel.name}-v1.schema.json": build_schema(channel)
        for channel in CHANNELS
        if not isinstance(channel.payload, str)
    }
    return {"asyncapi.json": build_asyncapi(), **schemas}


def build_schema(channel: Channel) -> dict[str, object]:
    """Return the JSON Schema of one channel's payload."""
    if isinstance(channel.payload, str):
        raise TypeError(f"{channel.name}: its payload is not JSON")
    model_schema = channel.payload.model_json_schema()
    if channel.payload is CommandV1:
        word = TypeAdapter(Order).json_schema()
        return {"$schema": _DRAFT, "title": "CommandV1", "anyOf": [model_schema, word]}
    return {"$schema": _DRAFT, **model_schema}


def build_asyncapi() -> dict[str, object]:
    """Return the AsyncAPI document: all topics, their direction and their payloads."""
    models = {c.payload for c in CHANNELS if not isinstance(c.payload, str)}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "monitor",
            "version": VERSION,
            "description": "Alerts about covered faces. All messages are QoS 1; alerts are "
            "delivered at least once, told apart by id and seq, in order for each id. "
            "Subscribers must ignore fields they do not know.",
            "license": {"name": "AGPL-3.0-or-later"},
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _describe_channel(channel) for channel in CHANNELS} | _REPLY,
        "operations": {_name_operation(c): _describe_operation(c) for c in CHANNELS},
        "components": {
            "messages": {channel.name: _describe_message(channel) for channel in CHANNELS},
            "schemas": definitions["$defs"],
        },
    }


def _describe_channel(channel: Channel) -> dict[str, object]:
    parameters = [word for word in _PARAMETERS if f"{{{word}}}" in channel.address]
    return {
        "address": channel.address,
        "description": channel.summary,
        "parameters": {word: {"description": _PARAMETERS[word]} for word in parameters},
        "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
    }


def _name_operation(channel: Channel) -> str:
    return f"{channel.action}{channel.name.capitalize()}"


def _describe_operation(channel: Channel) -> dict[str, object]:
    operation: dict[str, object] = {
        "action": channel.action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.summary,
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.name}"}],
        "bindings": {
            "mqtt": {"qos": 1, "retain": channel.retained, "bindingVersion": "0.2.0"},
        },
    }
    if channel.name == "command":
        operation["reply"] = {
            "address": {
                "description": "MQTT 5: the response topic, with the correlation data; "
                "it must not be one of ours. Otherwise the channel `response`.",
                "location": "$message.header#/responseTopic",
            },
            "channel": {"$ref": "#/channels/reply"},
            "messages": [{"$ref": "#/channels/reply/messages/response"}],
        }
    return operation


def _describe_message(channel: Channel) -> dict[str, object]:
    message: dict[str, object] = {
        "name": channel.name,
        "summary": channel.summary,
        "contentType": "text/plain" if channel.values else find_content_type(channel.address),
        "payload": dict(_describe_payload(channel)),
    }
    if channel.name == "alert":
        properties = {"id": {"type": "string"}, "seq": {"type": "string"}}
        message["headers"] = {
            "type": "object",
            "description": "User properties, under MQTT 5.",
            "properties": properties,
        }
    return message


def _describe_payload(channel: Channel) -> Iterable[tuple[str, object]]:
    if channel.values:
        yield from {"type": "string", "enum": list(channel.values)}.items()
    elif isinstance(channel.payload, str):
        yield from {"type": "string", "contentMediaType": "image/jpeg"}.items()
    elif channel.payload is CommandV1:
        word = TypeAdapter(Order).json_schema()
        yield "anyOf", [{"$ref": "#/components/schemas/CommandV1"}, word]
    else:
        yield "$ref", f"#/components/schemas/{channel.payload.__name__}"
