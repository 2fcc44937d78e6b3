"""Home Assistant's device discovery: one device for each camera.

Source:
    Home Assistant, documentation of the MQTT integration, "Device discovery payload".
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from monitor.domain import CameraId, StreamState
from monitor.publish.contract.payload import (
    command_topic,
    covered_topic,
    snapshot_topic,
    state_topic,
    status_topic,
)
from monitor.runtime.version import VERSION


class _DiscoveryModel(BaseModel):
    """Fields that are not set are not sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Component(_DiscoveryModel):
    """One entity of a device."""

    platform: Literal["binary_sensor", "sensor", "image", "switch"]
    unique_id: str
    name: str
    device_class: str | None = None
    icon: str | None = None
    options: list[str] | None = None
    state_topic: str | None = None
    value_template: str | None = None
    json_attributes_topic: str | None = None
    image_topic: str | None = None
    content_type: str | None = None
    command_topic: str | None = None
    payload_on: str | None = None
    payload_off: str | None = None
    state_on: str | None = None
    state_off: str | None = None


class Device(_DiscoveryModel):
    """The device that the entities belong to."""

    identifiers: list[str]
    name: str
    manufacturer: str
    model: str
    sw_version: str
    suggested_area: str | None = None


class Origin(_DiscoveryModel):
    """The program that announces the device."""

    name: str
    sw_version: str


class DiscoveryV1(_DiscoveryModel):
    """The discovery payload of one camera."""

    device: Device
    origin: Origin
    availability_topic: str
    payload_available: str
    payload_not_available: str
    qos: int
    components: dict[str, Component]


def discovery_topic(prefix: str, site: str, camera: CameraId) -> str:
    """Discovery topic of a camera (retained); an empty payload removes the device."""
    return f"{prefix}/device/monitor_{site}_{camera}/config"


def birth_topic(prefix: str) -> str:
    """Topic on which Home Assistant publishes ``online`` when it starts."""
    return f"{prefix}/status"


def build_discovery(
    prefix: str, site: str, zones: Mapping[CameraId, str | None]
) -> dict[str, bytes]:
    """Build the discovery payloads, by topic, of cameras and the names of their zones."""
    return {
        discovery_topic(prefix, site, camera): describe_device(site, camera, zone)
        .model_dump_json(exclude_none=True)
        .encode()
        for camera, zone in zones.items()
    }


def describe_device(site: str, camera: CameraId, zone: str | None) -> DiscoveryV1:
    """Describe one camera as a device of Home Assistant."""
    key = f"monitor_{site}_{camera}"
    components = _build_components(site, camera)
    return DiscoveryV1(
        device=Device(
            identifiers=[key],
            name=f"{site} {camera}",
            manufacturer="monitor",
            model="camera",
            sw_version=VERSION,
            suggested_area=zone,
        ),
        origin=Origin(name="monitor", sw_version=VERSION),
        availability_topic=status_topic(site),
        payload_available="online",
        payload_not_available="offline",
        qos=1,
        components={part.unique_id.removeprefix(f"{key}_"): part for part in components},
    )


def _build_components(site: str, camera: CameraId) -> Iterable[Component]:
    key = f"monitor_{site}_{camera}"
    covered, state = covered_topic(site, camera), state_topic(site, camera)
    yield Component(
        platform="binary_sensor",
        unique_id=f"{key}_covered_face",
        name="Covered face",
        device_class="occupancy",
        state_topic=covered,
        value_template="{{ 'ON' if value_json.covered else 'OFF' }}",
        json_attributes_topic=covered,
    )
    yield Component(
        platform="sensor",
        unique_id=f"{key}_last_covering",
        name="Last covering",
        icon="mdi:domino-mask",
        state_topic=covered,
        value_template="{{ value_json.last_covering }}",
    )
    yield Component(
        platform="sensor",
        unique_id=f"{key}_state",
        name="State",
        device_class="enum",
        options=[state.value for state in StreamState],
        state_topic=state,
        value_template="{{ value_json.state }}",
        json_attributes_topic=state,
    )
    yield Component(
        platform="binary_sensor",
        unique_id=f"{key}_tampering",
        name="Tampering",
        device_class="tamper",
        state_topic=state,
        value_template="{{ 'ON' if value_json.tampered else 'OFF' }}",
    )
    yield Component(
        platform="image",
        unique_id=f"{key}_snapshot",
        name="Snapshot",
        image_topic=snapshot_topic(site, camera),
        content_type="image/jpeg",
    )
    yield Component(
        platform="switch",
        unique_id=f"{key}_pause",
        name="Pause",
        icon="mdi:pause",
        command_topic=command_topic(site, camera),
        payload_on="pause",
        payload_off="resume",
        state_topic=state,
        value_template="{{ 'paused' if value_json.state == 'paused' else 'running' }}",
        state_on="paused",
        state_off="running",
    )
