"""A pipe of constant latency."""

import asyncio
from functools import partial

from harness.faults.wire_pipe import PIPE_BYTES_MAX, DelayPipe
from tests.faults.wire_peers import run


def test_everything_comes_out_as_late_as_it_is_put_in() -> None:
    """Latency does not add up: two that are put in together come out together, in order."""
    out: list[tuple[int, float]] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        pipe = DelayPipe(lambda _: None)
        pipe.delay(0.1)
        start_s = loop.time()
        for number in range(3):
            pipe.put(1, partial(lambda it: out.append((it, loop.time() - start_s)), number))
        pipe.drain()
        pipe.put(1, partial(lambda it: out.append((it, loop.time() - start_s)), 3))
        await pipe.emptied.wait()

    run(story)

    assert [0, 1, 2, 3] == [number for number, _ in out]
    assert 0.1 <= out[0][1]
    assert out[-1][1] - out[0][1] < 0.1


def test_a_full_pipe_asks_to_put_nothing_in() -> None:
    """Until half of it is out again; what it holds while it is blocked stays in."""
    choked: list[bool] = []
    out: list[int] = []

    async def story() -> None:
        pipe = DelayPipe(choked.append)
        pipe.delay(0.001)
        pipe.block(True)
        for number in range(3):
            pipe.put(PIPE_BYTES_MAX // 2, partial(out.append, number))
        pipe.drain()
        assert ([True], []) == (choked, out)
        pipe.block(False)
        await pipe.emptied.wait()

    run(story)

    assert ([True, False], [0, 1, 2]) == (choked, out)


def test_what_is_in_a_closed_pipe_is_gone() -> None:
    """Nothing of it comes out, and nobody has to wait for it."""
    out: list[int] = []

    async def story() -> None:
        pipe = DelayPipe(lambda _: None)
        pipe.delay(0.001)
        pipe.put(1, partial(out.append, 1))
        pipe.close()
        await pipe.emptied.wait()
        due = asyncio.Event()
        asyncio.get_running_loop().call_later(0.005, due.set)
        await due.wait()

    run(story)

    assert [] == out
