"""Where everything listens on a developer's machine; LIANSHEN_PORT_BASE moves the services, one place for all."""

import os
import socket
from typing import Final

SERVICES: Final = ("intake", "dispatcher", "department-worker", "timer", "signing", "supervision")


def fixed() -> dict[str, int]:
    """Return the ports of `./run up`."""
    base = int(os.environ.get("LIANSHEN_PORT_BASE", "8100"))
    services = {name: base + place for place, name in enumerate(SERVICES, start=1)}
    return {
        "postgres": base + 7332,
        "kafka": base + 10992,
        "kafka-controller": base + 10993,
        "authority": base + 80,
        "ca-agent": base + 81,
        **services,
    }


def free() -> dict[str, int]:
    """Return ports that nobody uses now, for tests and measurements that run beside each other."""
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in fixed()}
    chosen = {name: one.getsockname()[1] for name, one in sockets.items()}
    for one in sockets.values():
        one.close()
    return chosen


def is_taken(port: int) -> bool:
    """Whether something listens on `port`."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def taken_by(port: int) -> str:
    """Return who listens on `port`, as far as this user may know."""
    import psutil

    for connection in psutil.net_connections("tcp"):
        if connection.status == "LISTEN" and connection.laddr and connection.laddr.port == port:
            name = psutil.Process(connection.pid).name() if connection.pid else "another user's process"
            return f"{name} (pid {connection.pid})"
    return "an unknown process"
