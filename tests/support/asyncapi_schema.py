"""The parts of the AsyncAPI 3.0.0 specification that we use, written out by hand."""

from collections.abc import Mapping

_REF = {
    "type": "object",
    "required": ["$ref"],
    "additionalProperties": False,
    "properties": {"$ref": {"type": "string", "pattern": "^#/"}},
}
_TEXT = {"type": "string", "minLength": 1}
_MESSAGE = {
    "type": "object",
    "required": ["name", "contentType", "payload"],
    "additionalProperties": False,
    "properties": {
        "name": _TEXT,
        "summary": _TEXT,
        "contentType": {"type": "string", "pattern": "^[a-z]+/[a-z-]+$"},
        "payload": {"type": "object", "minProperties": 1},
        "headers": {
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"const": "object"}},
        },
    },
}
_CHANNEL = {
    "type": "object",
    "required": ["address", "messages"],
    "additionalProperties": False,
    "properties": {
        "address": {"type": ["string", "null"]},
        "description": _TEXT,
        "messages": {"type": "object", "minProperties": 1, "additionalProperties": _REF},
        "parameters": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"description": _TEXT},
            },
        },
    },
}
_BINDING = {
    "type": "object",
    "additionalProperties": False,
    "required": ["qos", "retain", "bindingVersion"],
    "properties": {
        "qos": {"enum": [0, 1, 2]},
        "retain": {"type": "boolean"},
        "bindingVersion": {"const": "0.2.0"},
    },
}
_REPLY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["address", "channel"],
    "properties": {
        "channel": _REF,
        "messages": {"type": "array", "items": _REF},
        "address": {
            "type": "object",
            "additionalProperties": False,
            "required": ["location"],
            "properties": {
                "description": _TEXT,
                "location": {"type": "string", "pattern": r"^\$message\.(header|payload)#(/.*)$"},
            },
        },
    },
}
_OPERATION = {
    "type": "object",
    "required": ["action", "channel"],
    "additionalProperties": False,
    "properties": {
        "action": {"enum": ["send", "receive"]},
        "channel": _REF,
        "summary": _TEXT,
        "messages": {"type": "array", "items": _REF, "minItems": 1},
        "bindings": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"mqtt": _BINDING},
        },
        "reply": _REPLY,
    },
}
ASYNCAPI: Mapping[str, object] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["asyncapi", "info"],
    "additionalProperties": False,
    "properties": {
        "asyncapi": {"const": "3.0.0"},
        "info": {
            "type": "object",
            "additionalProperties": False,
            "required": ["title", "version"],
            "properties": {
                "title": _TEXT,
                "version": _TEXT,
                "description": _TEXT,
                "license": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}},
            },
        },
        "defaultContentType": _TEXT,
        "channels": {"type": "object", "additionalProperties": _CHANNEL},
        "operations": {"type": "object", "additionalProperties": _OPERATION},
        "components": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "messages": {"type": "object", "additionalProperties": _MESSAGE},
                "schemas": {"type": "object", "additionalProperties": {"type": "object"}},
            },
        },
    },
}
