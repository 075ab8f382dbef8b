"""Keccak-256 as it was before SHA-3 changed the padding: how the server names programs."""

from functools import lru_cache

_RATE_BYTES = 136
_MASK = 0xFFFFFFFFFFFFFFFF
_ROUNDS = 24
_ROTATIONS = (
    (0, 36, 3, 41, 18),
    (1, 44, 10, 45, 2),
    (62, 6, 43, 15, 61),
    (28, 55, 25, 21, 56),
    (27, 20, 39, 8, 14),
)


@lru_cache(maxsize=8)
def keccak_256(data: bytes) -> str:
    """The digest of `data` as hex digits."""
    missing = _RATE_BYTES - len(data) % _RATE_BYTES
    padding = bytearray(missing)
    padding[0] |= 0x01
    padding[-1] |= 0x80
    padded = data + bytes(padding)
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            at = start + 8 * lane
            lanes[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4]).hex()


def _permuted(lanes: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        sums = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [sums[x - 1] ^ _rotated(sums[(x + 1) % 5], 1) for x in range(5)]
        moved = [0] * 25
        for at, lane in enumerate(lanes):
            target, bits = _MOVES[at]
            moved[target] = _rotated(lane ^ mixed[at % 5], bits)
        lanes = [
            moved[at] ^ (~moved[at - at % 5 + (at + 1) % 5] & moved[at - at % 5 + (at + 2) % 5]) for at in range(25)
        ]
        lanes[0] ^= constant
    return lanes


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _round_constants() -> list[int]:
    constants, register = [], 1
    for _ in range(_ROUNDS):
        constant = 0
        for power in range(7):
            register = ((register << 1) ^ ((register >> 7) * 0x71)) % 256
            if register & 2:
                constant ^= 1 << ((1 << power) - 1)
        constants.append(constant)
    return constants


_CONSTANTS = _round_constants()
# Lane (x, y) lies at x + 5y and moves to (y, 2x + 3y).
_MOVES = [(y + 5 * ((2 * x + 3 * y) % 5), _ROTATIONS[x][y]) for y in range(5) for x in range(5)]
