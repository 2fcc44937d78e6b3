"""Our flow in a real Node-RED: imported, fed with an alert, and listened to.

    npm install --prefix FOLDER node-red
    python -m tests.stress.node_red FOLDER

Not a part of the test run: Node-RED is a few hundred packages. Every node must be known to it,
an alert must come out where its severity leads, once, and the pause button must reach us.
"""

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.config.schema import Mqtt
from monitor.publish.mqtt.publisher import MqttPublisher
from tests.support.broker import Mosquitto, Witness
from tests.support.ports import HOST, free_port, reachable
from tests.support.waiting import until

FLOW = Path(__file__).parents[2] / "configs" / "mqtt" / "node-red.json"
ALERT = "monitor/v1/branch-12/entrance/alert"
COMMAND = "monitor/v1/branch-12/entrance/command"


def flow(port: int) -> list[dict[str, object]]:
    """The flow as a user imports it: with the broker's address, and results on the terminal."""
    nodes: list[dict[str, object]] = json.loads(FLOW.read_text())
    for node in nodes:
        if node["type"] == "mqtt-broker":
            node["port"] = str(port)
        if node["type"] == "debug":
            node["console"] = True
    return nodes


@contextmanager
def node_red(installed: Path, folder: Path, port: int) -> Iterator[str]:
    """Node-RED on loopback; where its API is."""
    program = installed / "node_modules" / "node-red" / "red.js"
    (folder / "settings.js").write_text(f"module.exports = {{uiHost: '{HOST}'}};")
    command = [
        "node",
        str(program),
        "-u",
        str(folder),
        "-s",
        str(folder / "settings.js"),
        "-p",
        str(port),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
        try:
            until(lambda: reachable(port), "Node-RED to start", 120)
            yield f"http://{HOST}:{port}"
        finally:
            process.kill()
            process.wait()


def post(url: str, body: object = None) -> None:
    """Raises OSError if it is refused."""
    request = urllib.request.Request(  # noqa: S310  (loopback)
        url,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Node-RED-Deployment-Type": "full"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.status in (200, 204), answer.status


def main(installed: Path) -> None:
    """Try it, and say what was seen."""
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        folder, heard = Path(name), Path(name) / "log"
        with (
            Witness(broker.port, "#") as witness,
            MqttPublisher(Mqtt(port=broker.port), "branch-12") as publisher,
            node_red(installed, folder, free_port()) as url,
        ):
            post(f"{url}/flows", flow(broker.port))
            until(lambda: "Connected to broker" in heard.read_text(), "its connection", 60)
            until(lambda: publisher.connected)
            known = heard.read_text()
            assert "unknown" not in known.lower(), known
            for seq in (0, 0, 1):  # the first one twice, as after a reconnect
                body = {"id": "1", "seq": seq, "severity": "critical", "state": "raised"}
                publisher.publish(ALERT, json.dumps(body).encode())
            until(lambda: heard.read_text().count("put the siren here") >= 2, "the alerts", 60)
            post(f"{url}/inject/monitor-pause", {})
            until(lambda: witness.payloads(COMMAND) == [b"pause"], "the command", 60)
            siren = heard.read_text().count("put the siren here")
            assert siren == 2, f"{siren} alerts came out, of which one was a repetition"
    print("Node-RED: flow imported, 2 of 2 states of an alert came out once, pause reached us")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
