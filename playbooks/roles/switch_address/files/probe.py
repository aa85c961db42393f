"""Sees whether somebody on a network device's link answers for an IPv4 address (RFC 5227).

IPv6 needs no question: a system that is given such an address asks by itself.
"""

import socket
import struct
import sys
import time

ARP = 0x0806
REPLY = 2
TRIES, PAUSE_S = 3, 1.0


def answered(device, address):
    """Return whether anybody but this host answers for an address."""
    wanted = socket.inet_aton(address)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP))
    link.bind((device, ARP))
    ours = link.getsockname()[4]
    probe = b"\xff" * 6 + ours + struct.pack("!HHHBBH", ARP, 1, 0x0800, 6, 4, 1)
    probe += ours + b"\0" * 4 + b"\0" * 6 + wanted
    for _ in range(TRIES):
        link.send(probe)
        until = time.monotonic() + PAUSE_S
        while time.monotonic() < until:
            link.settimeout(max(0.01, until - time.monotonic()))
            try:
                frame = link.recv(64)
            except socket.timeout:
                break
            kind = struct.unpack("!H", frame[20:22])[0]
            if kind == REPLY and frame[28:32] == wanted and frame[22:28] != ours:
                return True
    return False


def main(device, address):
    """Complain where the address is taken."""
    try:
        taken = ":" not in address and answered(device, address)
    except OSError as fault:
        sys.exit("%s: %s" % (device, fault.strerror))
    if taken:
        sys.exit("somebody answers for %s" % address)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
