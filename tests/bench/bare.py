"""The same reading by ``hvac`` and ``kubernetes`` alone, to be compared with the child's.

A program of its own, started as the child is: ``python -I bare.py requests``, or ``models``. It is
told on standard input where everything is, and writes what it has decrypted, and what it weighs.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hvac
from kubernetes import client, config

CONFIG: Any = config  # the packages have no types there
HVAC: Any = hvac


def main() -> None:
    where = json.load(sys.stdin)
    data = (_models if sys.argv[1] == "models" else _requests)(where)
    content = _decrypted(where, base64.b64decode(data[where["data_key"]]).decode())
    json.dump({"content": json.loads(content), "resident_mb": _resident_mb()}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # as the child does


def _requests(where: Mapping[str, str]) -> Mapping[str, str]:
    """With what the child uses of the package."""
    configuration = client.Configuration()
    CONFIG.load_kube_config(where["kubeconfig"], client_configuration=configuration)
    headers = {
        "Accept": "application/json",
        "Authorization": configuration.get_api_key_with_prefix("BearerToken"),
    }
    path = f"/api/v1/namespaces/{where['namespace']}/secrets/{where['secret']}"
    api: Any = client.ApiClient(configuration)
    reply = api.call_api("GET", configuration.host + path, headers)
    data: Mapping[str, str] = json.loads(reply.read())["data"]
    return data


def _models(where: Mapping[str, str]) -> Mapping[str, str]:
    """As most programs do it."""
    CONFIG.load_kube_config(where["kubeconfig"])
    api: Any = client.CoreV1Api()
    data: Mapping[str, str] = api.read_namespaced_secret(where["secret"], where["namespace"]).data
    return data


def _decrypted(where: Mapping[str, str], ciphertext: str) -> bytes:
    vault = HVAC.Client(url=where["address"], verify=where["ca_file"])
    jwt = Path(where["token_file"]).read_text()
    vault.auth.kubernetes.login(role=where["role"], jwt=jwt, mount_point=where["auth"])
    reply = vault.secrets.transit.decrypt_data(
        name=where["key"],
        ciphertext=ciphertext,
        context=where["context"],
        mount_point=where["mount"],
    )
    vault.auth.token.revoke_self()
    return base64.b64decode(reply["data"]["plaintext"])


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
