"""What reading the secrets costs, with the local default: time in the child, and memory of both."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench import parts, start
from tests.bench.figures import Figure, spread

RUNS = 30


async def handing_over() -> list[Figure]:
    """From starting the child to the fields in the service, for the two layouts in turn."""
    with _sealed(parts.SECRETS) as document, _sealed(parts.SECRETS, "fields") as fields:
        times: dict[str, list[float]] = {"document": [], "fields": []}
        for _ in range(RUNS):
            times["document"].append(parts.read_ms(document))
            times["fields"].append(parts.read_ms(fields))
    one, ten = sorted(times["document"])[RUNS // 2], sorted(times["fields"])[RUNS // 2]
    return [
        *spread("one document with ten fields", times["document"], p50=150),
        *spread("ten sealed fields", times["fields"], p50=150),
        Figure("ten sealed fields to one document, medians", ten / one, "x", None, 2),
    ]


async def starting() -> list[Figure]:
    """Starts of ``python -m services.moon``, its redis_url sealed and not."""
    return await start.sealed(_start_sealed)


async def _start_sealed() -> float:
    with parts.server_url() as url, _sealed({"redis_url": url}) as folder:
        taken_ms, _ = await start.start_on(url, {"MATRIX_TOML": str(folder / "matrix.toml")})
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
        settings = parts.settings_in(folder)
        (source,) = settings.sources
        source.make_key(settings.home, settings.sources)
        parts.seal(settings, content)
        yield folder
