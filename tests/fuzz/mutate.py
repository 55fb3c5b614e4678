"""Changing the bytes of a file, as failing disks, cut transfers and ill will do."""

from __future__ import annotations

import random


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Return the content with one to four changes: flipped bits, bytes set, cut, doubled, moved or thrown away."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        at = draw.randrange(len(data))
        if draw.random() < 0.3:  # the ends are where heads and directories are
            at = draw.choice((at % 64, len(data) - 1 - at % 64)) % len(data)
        length = draw.choice((1, 2, 4, 16, 256))
        match draw.randrange(7):
            case 0 | 1:
                data[at] ^= 1 << draw.randrange(8)
            case 2:
                data[at] = draw.choice((0, 1, 127, 128, 255))
            case 3:
                del data[at:]
            case 4:
                data[at:at] = data[at : at + length]
            case 5:
                data[at : at + length] = bytes(draw.randrange(256) for _ in range(length))
            case 6:
                del data[at : at + length]
    return bytes(data)
