"""Run a command with nothing but a loopback for a network; the first process of its namespaces.

``unshare --net … python offline.py COMMAND…``; needs the standard library only, since any
interpreter may run it.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h


def raise_loopback() -> None:
    """Bring the interface ``lo`` up, as kernels listen there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
        flags = struct.unpack_from("H", answer, 16)[0]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


if __name__ == "__main__":
    raise_loopback()
    sys.exit(subprocess.call(sys.argv[1:]))
