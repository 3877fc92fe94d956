"""The requests of one rotation of one document, by ``urllib3`` alone: nothing that comes back is
looked into, nothing is asked again. To be compared with what the rotator takes for the same.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from unittest.mock import patch

import urllib3

from framework.secrets.kubernetes.owner import MANAGER
from framework.secrets.vault.policies import rotator_name
from tests.bench.home import DATA_KEY, DOCUMENT, HOME, Home

SECRET = f"/api/v1/namespaces/{HOME.namespace}/secrets/{DOCUMENT.secret}"
EVENTS = f"/api/v1/namespaces/{HOME.namespace}/events"
CONTEXT = base64.b64encode(HOME.place(DOCUMENT).context(DATA_KEY)).decode()


class Requests:
    """On connections of their own, which are kept."""

    def __init__(self, home: Home, token: str) -> None:
        """``token``: of the service account, for the API server."""
        context = ssl.create_default_context(cafile=home.vault.ca_file)
        self._vault, self._kubernetes = (
            urllib3.HTTPSConnectionPool("127.0.0.1", server.port, ssl_context=context)
            for server in (home.vault, home.kubernetes)
        )
        self._jwt = home.jwt.read_text()
        self._bearer = {"Authorization": f"Bearer {token}"}

    def close(self) -> None:
        self._vault.close()
        self._kubernetes.close()

    def rotate(self) -> None:
        """From the login to its end, in the rotator's order."""
        key = f"{HOME.mount}/keys/{HOME.key}"
        held = self._stored("GET", SECRET)
        role = rotator_name(HOME)
        login = {"role": role, "jwt": self._jwt}
        granted = self._vaulted("POST", f"auth/{HOME.auth}/login", None, login)
        token = granted["auth"]["client_token"]
        self._vaulted("GET", key, token)
        self._rewrapped(token, self._sealed(held))
        self._vaulted("GET", key, token)
        self._vaulted("GET", "sys/health?standbyok=true", token)
        self._vaulted("POST", f"{key}/rotate", token)
        self._vaulted("GET", key, token)
        held = self._stored("GET", SECRET)
        fresh = self._rewrapped(token, self._sealed(held))
        self._rewrapped(token, fresh)
        held["data"][DATA_KEY] = base64.b64encode(fresh.encode()).decode()
        held = self._stored("PUT", f"{SECRET}?fieldManager={MANAGER}", held)
        self._vaulted("POST", "auth/token/revoke-self", token)
        self._stored("POST", f"{EVENTS}?fieldManager={MANAGER}", _event(held["metadata"]))

    @staticmethod
    def _sealed(secret: Mapping[str, Any]) -> str:
        return base64.b64decode(secret["data"][DATA_KEY]).decode()

    def _rewrapped(self, token: str, text: str) -> str:
        item = {"context": CONTEXT, "ciphertext": text}
        reply = self._vaulted("POST", f"{HOME.mount}/rewrap/{HOME.key}", token, item)
        return str(reply["data"]["ciphertext"])

    def _vaulted(self, method: str, path: str, token: str | None, body: object = None) -> Any:
        headers = {} if token is None else {"X-Vault-Token": token}
        return _asked(self._vault, method, f"/v1/{path}", headers, body)

    def _stored(self, method: str, path: str, body: object = None) -> Any:
        return _asked(self._kubernetes, method, path, self._bearer, body)


class Asked:
    """What is asked of servers, by whatever stands on ``urllib3``, while it is entered."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._began_s = self._ended_s = 0.0
        self._ask = urllib3.HTTPConnectionPool.urlopen
        self._noting = patch.object(urllib3.HTTPConnectionPool, "urlopen", self._noted())

    @property
    def taken_ms(self) -> float:
        """From the first request to the last reply."""
        return 1e3 * (self._ended_s - self._began_s)

    def __enter__(self) -> Self:
        self._noting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._noting.stop()

    def _noted(self) -> Callable[..., Any]:
        def noted(pool: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            if not self.requests:
                self._began_s = time.perf_counter()
            self.requests.append(f"{method} {url}")
            reply = self._ask(pool, method, url, *args, **kwargs)
            self._ended_s = time.perf_counter()
            return reply

        return noted


def _asked(
    pool: urllib3.HTTPSConnectionPool,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: object,
) -> Any:
    reply = pool.request(method, path, json=body, headers=headers, retries=False)
    if reply.status >= 300:
        raise RuntimeError(f"{method} {path}: status {reply.status}")
    return json.loads(reply.data) if reply.data else None


def _event(about: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "metadata": {"generateName": "bench."},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Secret",
            **{name: about[name] for name in ("namespace", "name", "uid", "resourceVersion")},
        },
        "type": "Normal",
        "reason": "Bench",
        "message": "rewrapped",
    }
