"""Identifiers: of requests, and of records that must keep one identity through every retry."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
import secrets
import time

_SAFE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HEX24 = re.compile(r"[0-9a-f]{24}")


class _Sequence:
    """What makes new ids unique in this process; drawn again after a fork so that two workers never share it."""

    def __init__(self) -> None:
        self.draw()
        os.register_at_fork(after_in_child=self.draw)

    def draw(self) -> None:
        self.unique = secrets.token_hex(5)
        self.counter = itertools.count(secrets.randbelow(0xFFFFFF))


_sequence = _Sequence()


def new_record_id() -> str:
    """24 hexadecimal digits in the layout of a MongoDB ObjectId (4 bytes of time, 5 random, 3 counting), so ids sort by time."""
    return f"{int(time.time()) & 0xFFFFFFFF:08x}{_sequence.unique}{next(_sequence.counter) & 0xFFFFFF:06x}"


def object_id_hex(record_id: str) -> str:
    """The ObjectId, as 24 hexadecimal digits, that stands for any record id.

    The same id always gives the same ObjectId, so a retry meets the record it wrote before.
    """
    if _HEX24.fullmatch(record_id):
        return record_id
    return hashlib.sha256(record_id.encode()).hexdigest()[:24]


def derived_record_id(key: str, index: int, content: bytes) -> str:
    """24 hexadecimal digits that stand for entry `index` of what was sent under an idempotency key.

    The same key, place and content give the same id, so a retry meets the record it wrote before; a key that is used again for
    something else does not. 96 bits of SHA-256, each part led by its length.
    """
    encoded = key.encode()
    head = b"idempotency-key %d %d %d " % (len(encoded), index, len(content))
    return hashlib.sha256(head + encoded + content).hexdigest()[:24]


def new_hex(digits: int) -> str:
    """Random hexadecimal digits that name something and guard nothing.

    Not from the kernel: that call lets go of the interpreter lock, and with many threads getting it back costs more than the request.
    The generator is seeded again after a fork.
    """
    return f"{random.getrandbits(digits * 4):0{digits}x}"


def new_request_id() -> str:
    return new_hex(32)


def is_safe_id(value: str) -> bool:
    """Whether an id from outside may be echoed into headers and log lines: 1 to 128 of letters, digits and `._:-`."""
    return _SAFE_ID.fullmatch(value) is not None
