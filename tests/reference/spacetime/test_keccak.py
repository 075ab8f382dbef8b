"""Keccak-256 against published digests."""

import pytest

from harness.reference.spacetime.keccak import keccak_256


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_digest(data: bytes, digest: str) -> None:
    """The old padding gives the known digests, not those of SHA-3."""
    assert digest == keccak_256(data)
