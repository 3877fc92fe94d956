"""What reading the secrets costs with a real Vault and a real API server, beside the same without
the framework.

Where they are, and who reads there, is left to ``home``; what is done without the framework, to
``bare``.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from framework.secrets.access import Secret
from framework.secrets.kubernetes.mounted import LINK
from framework.secrets.vault.policies import reader_name
from tests.bench import parts, start
from tests.bench.figures import Figure, spread
from tests.bench.home import ACCOUNT, DATA_KEY, DOCUMENT, FIELDS, HOME, MOON, Home, home

RUNS = 12
BARE = Path(__file__).with_name("bare.py")
ROLE = reader_name(HOME, "bench")


async def reading() -> list[Figure]:
    """In the child and without the framework, in turn; then starts of a service."""
    with home() as at_home:
        reader = _Reader(at_home, at_home.account(ACCOUNT, {"secrets": ["get"]}))
        times, models_mb = _read_in_turn(reader)
        started = await start.sealed(reader.start)
    *_, child = started
    return [
        *spread("one document with ten fields", times["document"]),
        *spread("bare hvac and ApiClient", times["requests"]),
        _ratio("one document to bare", times["document"], times["requests"], target=1.3),
        *spread("ten sealed fields", times["fields"]),
        _ratio("ten sealed fields to one document", times["fields"], times["document"]),
        *spread("one document, mounted", times["mounted"]),
        *spread("CoreV1Api and hvac", times["models"]),
        _ratio("CoreV1Api and hvac to one document", times["models"], times["document"]),
        Figure("memory of CoreV1Api and hvac, which stays", models_mb, "MB"),
        Figure("that to the child's, which ends", models_mb / child.value, "x", None, 2),
        *started,
    ]


def _ratio(
    name: str, times_ms: list[float], to_ms: list[float], *, target: float | None = None
) -> Figure:
    return Figure(f"{name}, medians", median(times_ms) / median(to_ms), "x", target, 2)


def _read_in_turn(reader: _Reader) -> tuple[Mapping[str, list[float]], float]:
    """Milliseconds of each way, and the resident megabytes of the one with models."""
    reader.home.seal(DOCUMENT, parts.SECRETS)
    reader.home.seal(FIELDS, parts.SECRETS)
    folders = {
        "document": reader.folder(DOCUMENT),
        "fields": reader.folder(FIELDS),
        "mounted": reader.folder(DOCUMENT, mounted=reader.mount(DOCUMENT)),
    }
    times: dict[str, list[float]] = {name: [] for name in (*folders, "requests", "models")}
    for _ in range(RUNS):
        for name, folder in folders.items():
            times[name].append(parts.read_ms(folder))
        for way in ("requests", "models"):
            taken_ms, resident_mb = reader.bare(way)
            times[way].append(taken_ms)
    return times, resident_mb


@dataclass(frozen=True)
class _Reader:
    """A service account that may read Secrets."""

    home: Home
    kubeconfig: Path

    def mount(self, secret: Secret) -> Path:
        """Where kubelet would have mounted it, and as it would."""
        settings = parts.settings_in(self.home.administrator(secret))
        stored = settings.sources[0].store(settings.home).read()
        assert stored is not None
        folder = self.home.folder / "volume"
        (folder / "..now").mkdir(parents=True)
        (folder / LINK).symlink_to("..now")
        for data_key, text in stored.data.items():
            (folder / "..now" / data_key).write_text(text)
            (folder / data_key).symlink_to(f"{LINK}/{data_key}")
        return folder

    def folder(self, secret: Secret, *, mounted: Path | None = None) -> Path:
        """One with the ``matrix.toml`` of a service that reads it."""
        more = "" if mounted is None else f'mounted = "{mounted}"'
        return self.home.configured(secret, self.kubeconfig, self.home.pod(ROLE), more)

    async def start(self) -> float:
        """Milliseconds until ``services.moon`` publishes, its redis_url sealed."""
        with parts.server_url() as url:
            self.home.seal(MOON, {"redis_url": url})
            environ = {"MATRIX_TOML": str(self.folder(MOON) / "matrix.toml")}
            return (await start.start_on(url, environ))[0]

    def bare(self, way: str) -> tuple[float, float]:
        """Milliseconds from starting the program to what it has read, and what it weighs then."""
        where = {
            "kubeconfig": str(self.kubeconfig),
            "namespace": HOME.namespace,
            "secret": DOCUMENT.secret,
            "data_key": DATA_KEY,
            "context": base64.b64encode(HOME.place(DOCUMENT).context(DATA_KEY)).decode(),
            "address": self.home.vault.address,
            "ca_file": str(self.home.vault.ca_file),
            "token_file": str(self.home.jwt),
            "role": ROLE,
            "auth": HOME.auth,
            "mount": HOME.mount,
            "key": HOME.key,
        }
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-I", BARE, way],
            input=json.dumps(where).encode(),
            stdout=subprocess.PIPE,
            check=True,
            env={},
            cwd="/",
        )
        taken_ms = 1e3 * (time.perf_counter() - began)
        said = json.loads(done.stdout)
        assert said["content"] == parts.SECRETS
        return taken_ms, said["resident_mb"]
