"""What reading the secrets costs, with the local default: time in the child, and memory of both."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import create_model

from framework.config import Config
from framework.project import Project
from framework.secrets.encryptor import Encryptor
from framework.secrets.fields import fields_of
from framework.secrets.reading import read_documents
from framework.secrets.settings import SecretsSettings
from tests.bench import parts, start
from tests.bench.figures import Figure, spread

RUNS = 30
FIELDS = {f"token_{number}": "x" * 40 for number in range(10)}
Bench = create_model(
    "Bench",
    __base__=Config,
    **dict.fromkeys(FIELDS, (str, ...)),  # type: ignore[call-overload]
)


async def handing_over() -> list[Figure]:
    """From starting the child to the fields in the service, for the two layouts in turn."""
    with _sealed({"bench": FIELDS}) as document, _sealed({"bench": FIELDS}, "fields") as fields:
        times: dict[str, list[float]] = {"document": [], "fields": []}
        for _ in range(RUNS):
            times["document"].append(_read_ms(document))
            times["fields"].append(_read_ms(fields))
    one, ten = sorted(times["document"])[RUNS // 2], sorted(times["fields"])[RUNS // 2]
    return [
        *spread("one document with ten fields", times["document"], p50=150),
        *spread("ten sealed fields", times["fields"], p50=150),
        Figure("ten sealed fields to one document, medians", ten / one, "x", None, 2),
    ]


async def starting() -> list[Figure]:
    """The best of a few starts of ``python -m services.moon``, its redis_url sealed and not."""
    plain_ms = min([(await start.start())[0] for _ in range(start.RUNS)])
    sealed_ms = min([await _start_sealed() for _ in range(start.RUNS)])
    heights: list[tuple[float, float]] = []
    watch = asyncio.ensure_future(_watch_heights(heights))
    await _start_sealed()
    watch.cancel()
    parent_mb, child_mb = max(heights, key=sum)
    return [
        Figure("start -> first publish, redis_url sealed", sealed_ms, "ms", None, 0),
        Figure("of it: reading the secrets", sealed_ms - plain_ms, "ms", None, 0),
        Figure("memory of both at its height", parent_mb + child_mb, "MB", None, 1),
        Figure("of it: the service", parent_mb, "MB", None, 1),
        Figure("of it: the child", child_mb, "MB", None, 1),
    ]


async def _start_sealed() -> float:
    with parts.server_url() as url, _sealed({"redis_url": url}) as folder:
        taken_ms, _ = await start.start_on(url, {"MATRIX_TOML": str(folder / "matrix.toml")})
    return taken_ms


def _read_ms(folder: Path) -> float:
    settings = SecretsSettings.of(
        Project.find({"MATRIX_TOML": str(folder / "matrix.toml")}, folder)
    )
    began = time.perf_counter()
    (document,) = read_documents(settings, [(Bench, "bench")])
    taken_ms = 1e3 * (time.perf_counter() - began)
    if document.values.get("bench") != FIELDS:
        raise RuntimeError("the fields did not arrive")
    return taken_ms


@contextmanager
def _sealed(content: Mapping[str, object], layout: str = "document") -> Iterator[Path]:
    """A folder with a keyring, and this sealed in it. What is measured may be looked into."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "matrix.toml").write_text(
            "[secrets]\nprofilers = true\n"
            f'[[secrets.source]]\nkind = "file"\npath = "secrets.sealed"\nlayout = "{layout}"\n'
        )
        settings = SecretsSettings.of(Project.find({}, folder))
        (source,) = settings.sources
        source.make_key(settings.home)
        encryptor = Encryptor(
            source.transit(settings.home), source.store(settings.home), source.place
        )
        if layout == "fields":
            encryptor.fields(fields_of(content))
        else:
            encryptor.document(source.data_key, json.dumps(content).encode())
        yield folder


async def _watch_heights(heights: list[tuple[float, float]]) -> None:
    """Note the memory of a service and of its child, as long as there are both."""
    me = psutil.Process()
    while True:
        for service in me.children():
            with suppress(psutil.Error):
                if "services.moon" in service.cmdline():
                    child = sum(each.memory_info().rss for each in service.children())
                    if child:
                        heights.append((service.memory_info().rss / 2**20, child / 2**20))
        await asyncio.sleep(0.002)
