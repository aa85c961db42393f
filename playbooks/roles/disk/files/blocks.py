"""Reading the source's disk from the target: only blocks cross that differ from what is here."""

import hashlib
import os
import struct
import subprocess

from ends import ComplaintError, LostError
from source import BLOCK, digest

NOTHING = digest(bytes(BLOCK))


def passed(wanted, raw, differs, sized=lambda _size: None):
    """Let the source tell what is not as it is in `raw`; return its size and digest.

    `sized` is told how large the disk is, before `differs` is told of each block: number, contents.
    """
    pipe = subprocess.PIPE
    source = subprocess.Popen(wanted["read"], stdin=pipe, stdout=pipe, stderr=pipe)
    with open(wanted["code"], "rb") as file:
        code = file.read() + b"\n"
    try:
        source.stdin.write(b"%d\n" % len(code) + code + digests(raw))
        source.stdin.close()
        size = struct.unpack(">Q", exactly(source.stdout, 8))[0]
        sized(size)
        for number in range(-(-size // BLOCK)):
            tag = exactly(source.stdout, 1)
            if tag == b"#":
                differs(number, exactly(source.stdout, min(BLOCK, size - number * BLOCK)))
            elif tag != b"=":
                raise ComplaintError("%s says what it should not" % wanted["source"])
        whole = exactly(source.stdout, 32)
    except (EOFError, BrokenPipeError):
        # Both end with it, and its code says whether it was lost or has complained.
        said = source.stderr.read().decode("utf-8", "replace").strip()
        lost = source.wait() in (255, -9)
        raise (LostError if lost else ComplaintError)(
            "%s: %s" % (wanted["source"], said[-500:] or "the connection ended")
        ) from None
    source.wait()
    return {"size": size, "sha256": whole.hex()}


def keep(raw, meter, number, block):
    """Write a block where it belongs."""
    raw.seek(number * BLOCK)
    rest = memoryview(block)
    while rest:
        rest = rest[raw.write(rest) :]
    meter.count(len(block))


def digests(raw):
    """Return the digests of what is here, block by block; holes are not read."""
    size, found, number = raw.seek(0, os.SEEK_END), [], 0
    while number * BLOCK < size:
        begin = number * BLOCK
        length = min(BLOCK, size - begin)
        try:
            hole = os.lseek(raw.fileno(), begin, os.SEEK_DATA) >= begin + length
        except OSError:  # There is no data any more.
            hole = True
        if hole and length == BLOCK:
            found.append(NOTHING)
        else:
            raw.seek(begin)
            found.append(digest(exactly(raw, length)))
        number += 1
    return b"".join(found)


def sha256(raw):
    """Return the digest of what is here."""
    digest = hashlib.sha256()
    raw.seek(0)
    for block in iter(lambda: raw.read(BLOCK), b""):
        digest.update(block)
    return digest.hexdigest()


def exactly(file, number):
    """Read so many bytes."""
    parts = []
    while number:
        part = file.read(number)
        if not part:
            raise EOFError
        parts.append(part)
        number -= len(part)
    return b"".join(parts)
