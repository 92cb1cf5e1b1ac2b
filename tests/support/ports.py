"""Ports for servers that tests start."""

import random
import socket
from contextlib import ExitStack, suppress

LEAST, MOST = 15_000, 32_000
"""Below those that systems give to clients: while a server is down, some client could be given its port otherwise."""


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on; a server that ends and starts again finds its own free."""
    ports: list[int] = []
    with ExitStack() as stack:
        while len(ports) < count:
            port = random.SystemRandom().randrange(LEAST, MOST)
            probe = stack.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
    return ports
