"""AsyncAPI 3.0 documents, made from the table of topics: what a service sends and what it receives."""

from collections.abc import Iterable
from typing import Any

from contracts.envelope import Event
from contracts.topics import Topic


def document(service: str, listens: Iterable[Topic], speaks: Iterable[Topic]) -> dict[str, Any]:
    """Return the AsyncAPI document of `service`."""
    receiving, sending = list(listens), list(speaks)
    topics = {topic.name: topic for topic in (*receiving, *sending)}
    models = {model.__name__: model for topic in topics.values() for model in topic.says}
    operations = [_operation(topic, "receive") for topic in receiving] + [
        _operation(topic, "send") for topic in sending
    ]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": service, "version": "1"},
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic) for name, topic in topics.items()},
        "operations": {f"{one['action']}.{one['channel']['$ref'].split('/')[-1]}": one for one in operations},
        "components": {"messages": {name: _message(model) for name, model in models.items()}},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "messages": {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"} for model in topic.says},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic, action: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}}


def _message(model: type[Event]) -> dict[str, Any]:
    return {
        "name": model.__name__,
        "summary": (model.__doc__ or "").strip(),
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"],
            "properties": {"ce_type": {"const": model.__name__}},
        },
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": model.model_json_schema(),
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": model.KEY_FIELD}, "bindingVersion": "0.5.0"}},
    }
