"""SipHash-1-3 with a zero key: what the original's backoff jitter was made of (contract 2.3)."""

_MASK = 0xFFFFFFFFFFFFFFFF
_INITIAL = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_FINAL_ROUNDS = 3


def siphash_1_3(data: bytes) -> int:
    """The unsigned 64-bit SipHash-1-3 of `data` under the key k0 = k1 = 0."""
    v0, v1, v2, v3 = _INITIAL
    for word in _words(data):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ word)
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(_FINAL_ROUNDS):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def reconnect_jitter_ms(key: str, cursor: int, jitter_ms_max: int) -> int:
    """The jitter, 0 to `jitter_ms_max` milliseconds, of one consumer key at one cursor."""
    data = key.encode() + b"\xff" + cursor.to_bytes(8, "little")
    return siphash_1_3(data) % (jitter_ms_max + 1)


def _words(data: bytes) -> list[int]:
    whole = len(data) - len(data) % 8
    last = data[whole:].ljust(7, b"\0") + bytes([len(data) & 0xFF])
    padded = data[:whole] + last
    return [int.from_bytes(padded[at : at + 8], "little") for at in range(0, len(padded), 8)]


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _MASK
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotated(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotated(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotated(v1, 17) ^ v2
    v2 = _rotated(v2, 32)
    return v0, v1, v2, v3
