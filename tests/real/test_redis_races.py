"""Subscribing while somebody publishes: the last state is never missed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from framework.bus import Posted
from framework.bustime import from_us, to_us
from framework.redisbus import RedisBus

if TYPE_CHECKING:
    from tests.conftest import Server

RACES = 200


async def test_no_final_state_is_missed(server: Server) -> None:
    publisher, bus = RedisBus(server.url), RedisBus(server.url)
    await publisher.snapshot("tide")
    us = to_us(publisher.time.now()) - RACES * 10

    for race in range(RACES):
        final_us = us + race * 10 + 4
        seen: list[int] = []
        done = asyncio.Event()

        def deliver(
            _: str,
            posted: Posted,
            last: int = final_us,
            done: asyncio.Event = done,
            seen: list[int] = seen,
        ) -> bool:
            seen.append(posted.updated_us)
            if posted.updated_us == last:
                done.set()
            return True

        following = asyncio.create_task(bus.follow(["tide"], deliver, lambda _: None))
        for updated_us in range(final_us - 4, final_us + 1):
            await asyncio.sleep(0)
            body = json.dumps({"updated": from_us(updated_us).isoformat()}).encode()
            await publisher.publish("tide", Posted(updated_us, body))
        async with asyncio.timeout(5):  # well below the next reading of what is held
            await done.wait()
        assert seen == sorted(set(seen))
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    await publisher.close()
    await bus.close()
