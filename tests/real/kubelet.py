"""How a container runs, seen from inside: its volumes, its environment, and a root that cannot be
written. There is no image: its programs are this machine's.

It takes a pod as it is written and asks for what is mounted; processes are started by others.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

Ask = Callable[..., Any]
"""Asks the API server: method, path and body; the JSON of the answer."""
ENTRYPOINT = "matrix"
"""That of deploy/Containerfile."""

# The first word is an empty folder; then come pairs, what is mounted and where, up to --.
_SANDBOX = """
set -e
root=$1; shift
mount -t tmpfs none "$root"
for top in /*; do
    if [ -L "$top" ]; then cp -P "$top" "$root$top"; continue; fi
    [ -d "$top" ] || continue
    mkdir "$root$top"
    mount --rbind "$top" "$root$top"
    case $top in /dev|/proc|/sys) ;; *) mount -o remount,bind,ro "$root$top" ;; esac
done
mount -t tmpfs none "$root/run"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    mount -o remount,bind,ro "$root$2"
    shift 2
done
shift
mount -o remount,ro "$root/run"
mount -o remount,ro "$root"
exec chroot "$root" "$@"
"""
_INTO = 'cd "$1"; shift; exec "$@"'


@dataclass(frozen=True)
class Kubelet:
    """Runs pods of one API server, in a folder of its own."""

    ask: Ask
    server: str
    folder: Path

    def command(self, namespace: str, pod: Mapping[str, Any], *words: str) -> list[str]:
        """What to start for the one container of ``pod``, or for other words in its place."""
        (container,) = pod["containers"]
        volumes = {each["name"]: each for each in pod["volumes"]}
        mounts: list[str] = []
        for mount in container["volumeMounts"]:
            contents = self._contents(namespace, pod, volumes[mount["name"]])
            mounts += [self._volume(contents), mount["mountPath"].replace("/var/run/", "/run/")]
        own = [*container.get("command", [ENTRYPOINT]), *container.get("args", [])]
        environ = {each["name"]: each["value"] for each in container.get("env", [])}
        return [
            *("unshare", "--map-root-user", "--mount", "sh", "-c", _SANDBOX, "sandbox"),
            *(mkdtemp(dir=self.folder), *mounts, "--", "env", "-i"),
            *(f"{name}={value}" for name, value in (self._environ() | environ).items()),
            *("sh", "-c", _INTO, "into", container["workingDir"], *(words or own)),
        ]

    def passes(self, pod: Mapping[str, Any], probe: str) -> bool:
        """Whether its one container, which runs, does: it has this machine's network."""
        (container,) = pod["containers"]
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        asked = container[probe]["httpGet"]
        with closing(HTTPConnection("127.0.0.1", ports[asked["port"]], timeout=1)) as connection:
            try:
                connection.request("GET", asked["path"])
                return connection.getresponse().status < 400
            except OSError:
                return False

    def _environ(self) -> dict[str, str]:
        server = urlsplit(self.server)
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
        }

    def _volume(self, contents: Mapping[str, bytes]) -> str:
        """A folder as kubelet makes it, whose files change all at once."""
        folder = Path(mkdtemp(dir=self.folder))
        state = folder / "..2026_11_24_12_00_00.123456789"
        state.mkdir()
        (folder / "..data").symlink_to(state.name)
        for name, content in contents.items():
            (state / name).write_bytes(content)
            (folder / name).symlink_to(Path("..data") / name)
        return str(folder)

    def _contents(
        self, namespace: str, pod: Mapping[str, Any], volume: Mapping[str, Any]
    ) -> Mapping[str, bytes]:
        """By the names of its files."""
        if "secret" in volume:
            return self._object(namespace, "secrets", volume["secret"]["secretName"])
        if "configMap" in volume:
            return self._object(namespace, "configmaps", volume["configMap"]["name"])
        contents: dict[str, bytes] = {}
        for source in volume["projected"]["sources"]:
            ((kind, given),) = source.items()
            if kind == "serviceAccountToken":
                token = self._token(namespace, pod["serviceAccountName"], given)
                contents[given["path"]] = token.encode()
            elif kind == "configMap":
                found = self._object(namespace, "configmaps", given["name"])
                contents |= {item["path"]: found[item["key"]] for item in given["items"]}
            else:
                contents |= _of_downward_api(namespace, given["items"])
        return contents

    def _object(self, namespace: str, kind: str, name: str) -> dict[str, bytes]:
        data = self.ask("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}")["data"]
        decode = base64.b64decode if kind == "secrets" else str.encode
        return {key: decode(value) for key, value in data.items()}

    def _token(self, namespace: str, account: str, wanted: Mapping[str, Any]) -> str:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        audiences = [wanted["audience"]] if "audience" in wanted else []
        spec = {"audiences": audiences, "expirationSeconds": wanted["expirationSeconds"]}
        token: str = self.ask("POST", path, {"spec": spec})["status"]["token"]
        return token


def _of_downward_api(namespace: str, items: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    known = {"metadata.namespace": namespace.encode()}
    return {each["path"]: known[each["fieldRef"]["fieldPath"]] for each in items}
