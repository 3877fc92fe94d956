"""Events about Secrets: what a rotation did to each, where ``kubectl events`` shows it.

Responsible for which Secret there is something to say of, and for saying it once. Whoever may not
write Events, or cannot, rotates all the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from framework.secrets.kubernetes.client import FORBIDDEN, KubernetesClient, Reply
from framework.secrets.kubernetes.owner import MANAGER
from framework.secrets.rotator import Action, Outcome, Record, Result, Seen

COMPONENT = "matrix-rotate"
ROTATED, BLOCKED, FAILED = "Rotated", "RotateBlocked", "RotateFailed"
MAX_BYTES = 1024
"""What Kubernetes allows for the message."""
_PREFIX = 200
"""How much of the Secret's name begins the Event's, of whose 253 characters a digest takes some."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is said of one Secret."""

    about: Seen
    reason: str
    """``ROTATED``, ``BLOCKED`` or ``FAILED``."""
    message: str

    def body(self, at: datetime) -> dict[str, Any]:
        """Of the same day, the same words have the same name: Kubernetes takes them once."""
        secret, namespace = self.about.place.secret, self.about.place.namespace
        seconds = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        said = "\0".join((self.about.uid, self.reason, self.message, f"{at:%Y-%m-%d}"))
        digest = hashlib.sha256(said.encode()).hexdigest()[:16]
        return {
            "metadata": {"name": f"{secret[:_PREFIX].rstrip('-.')}.{digest}"},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Secret",
                "namespace": namespace,
                "name": secret,
                "uid": self.about.uid,
                "resourceVersion": self.about.version,
            },
            "type": "Normal" if self.reason == ROTATED else "Warning",
            "reason": self.reason,
            "message": shortened(self.message, MAX_BYTES),
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "firstTimestamp": seconds,
            "lastTimestamp": seconds,
            "count": 1,
        }


def events_of(result: Result) -> Iterator[Event]:
    """One for each Secret that was rewrapped, blocked or failed; none where nothing was due."""
    for name, told in told_of(result).items():
        if told is not None:
            yield Event(result.seen[name], *told)


def told_of(result: Result) -> dict[str, tuple[str, str] | None]:
    """Reason and message for each Secret, by the name of its Store; None: nothing was due."""
    contested = {each.found.secret: each.why for each in result.contested}
    records: dict[str, list[Record]] = {}
    for record in result.records:
        records.setdefault(record.secret, []).append(record)
    return {name: _told(result, records.get(name, ()), contested.get(name)) for name in result.seen}


def post(client: KubernetesClient, events: Iterable[Event], at: datetime) -> str | None:
    """None, or a sentence: why Kubernetes does not have them all. ``at``: when it was."""
    for event in events:
        namespace = event.about.place.namespace
        path = f"/api/v1/namespaces/{namespace}/events?fieldManager={MANAGER}"
        reply = client.ask("POST", path, event.body(at), repeat=True)
        if isinstance(reply, Reply) and (reply.ok or reply.reason == "AlreadyExists"):
            continue
        unsaid = f"what became of the Secrets in {namespace} is not in its Events"
        if not isinstance(reply, Reply):
            return f"{unsaid}: {reply}"
        if reply.status == FORBIDDEN:
            return (
                f"{unsaid}: {client.name} refuses to create them. Bind who rotates to a Role there "
                'with the rule - {apiGroups: [""], resources: [events], verbs: [create]}'
            )
        return f"{unsaid}: {client.name} answers with status {reply.status}"
    return None


def _told(
    result: Result, records: Sequence[Record], contested: str | None
) -> tuple[str, str] | None:
    blocked = [record for record in records if record.action is Action.BLOCKED]
    failed = [record for record in records if record.action is Action.FAILED]
    rewrapped = [record for record in records if record.action is Action.REWRAPPED]
    if blocked:
        return BLOCKED, _reasons(blocked)
    if failed:
        return FAILED, _reasons(failed)
    if not records or any(record.action is Action.DUE for record in records):
        # The run came to its end before it came to this.
        is_blocked = result.outcome is Outcome.BLOCKED
        return BLOCKED if is_blocked else FAILED, "; ".join(result.reasons)
    if contested is not None:
        return BLOCKED, contested
    if rewrapped:
        names = ", ".join(record.data_key for record in rewrapped)
        version = max(record.after or 0 for record in rewrapped)
        return ROTATED, f"rewrapped to key version {version}: {names}"
    return None


def _reasons(records: Sequence[Record]) -> str:
    said = (
        f"{record.data_key}: {record.reason}" if record.data_key else record.reason
        for record in records
    )
    return "; ".join(dict.fromkeys(said))


def shortened(message: str, max_bytes: int) -> str:
    """Cut between characters, if it is longer."""
    content = message.encode()
    if len(content) <= max_bytes:
        return message
    return content[: max_bytes - len("…".encode())].decode(errors="ignore") + "…"
