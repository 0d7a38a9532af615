"""Where everything listens on a developer's machine; LIANSHEN_PORT_BASE moves the services, one place for all."""

import atexit
import os
import socket
from typing import Final

from local.trouble import Trouble

FREE: Final = range(23_000, 28_000, 16)
"""Where the blocks begin from which `free` takes."""
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
    """Return ports that are this process's alone until it ends, for tests and measurements that run beside each other.

    They lie below those that the kernel hands out to connections, in a block whose first port this process listens on:
    whoever else looks for a block passes it by.
    """
    for first in range(FREE.start, FREE.stop, FREE.step):
        if (claim := _listens(first)) is None:
            continue
        block = range(first + 1, first + FREE.step)
        if not any(is_taken(port) for port in block):
            atexit.register(claim.close)
            return dict(zip(fixed(), block, strict=False))
        claim.close()
    raise Trouble(f"no ports are free between {FREE.start} and {FREE.stop}")


def _listens(port: int) -> socket.socket | None:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


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
