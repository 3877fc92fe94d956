"""The process that reads the secrets: ``python -I -m framework.secrets.child DESCRIPTOR``.

It is told on standard input what to read and what is declared, writes that, and nothing else, to
the pipe DESCRIPTOR, and ends. The service starts it, waits for it and understands it (``asking``).
Told to reseal (``resealing``), it writes names alone.

Nothing is imported here that reading does not need: no pydantic, and none of the user's code.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import ceil
from typing import Any

from framework.errors import MatrixError, SecretsUnavailable
from framework.secrets.hardening import harden
from framework.secrets.kinds import KINDS
from framework.secrets.prune import Tree
from framework.secrets.reader import read
from framework.secrets.source import Home
from framework.secrets.store import StoreUnavailable
from framework.secrets.transit import TransitUnavailable

LIFETIME_S = 30
"""How long it may take. Should its service be gone by then, it ends by itself."""
FIELD_S = 1
"""How long each field may take to be opened, and again to be sealed, where one is resealed."""
READY = b"ready"
"""What it writes first, once nobody can look into it: until then it has held no secret."""
LENGTH_BYTES = 8


def main() -> None:
    signal.alarm(LIFETIME_S)
    gc.disable()  # what is imported here stays: to look for garbage in it is a tenth of the time
    harden()
    reply = int(sys.argv[1])
    os.write(reply, READY)
    content = json.dumps(answer(json.load(sys.stdin.buffer), allow=signal.alarm)).encode()
    left = memoryview(len(content).to_bytes(LENGTH_BYTES) + content)
    while left:
        left = left[os.write(reply, left) :]
    os._exit(0)  # whatever was imported has nothing left to do


def answer(
    request: Mapping[str, Any], *, allow: Callable[[int], object] = lambda seconds: None
) -> dict[str, Any]:
    """What each source has, or what is wrong: a kind, and a sentence without values.

    ``allow`` is told how long it may take from now on, if that is not ``LIFETIME_S``.
    """
    try:
        if "reseal" in request:
            return {"documents": [resealed(**request["reseal"], allow=allow)]}
        home, tree = Home(**request["home"]), Tree(**request["tree"])
        documents = []
        for each in request["sources"]:
            found = read(KINDS[each["kind"]](**each), home, tree)
            documents.append({"values": found.values, "strangers": found.strangers})
    except (SecretsUnavailable, StoreUnavailable, TransitUnavailable) as error:
        return {"unavailable": str(error)}
    except MatrixError as error:
        return {"refused": str(error)}
    except ImportError as error:
        return {"refused": f"{error.name} is not installed for {sys.executable}"}
    except Exception as error:  # its message may hold anything
        last = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        return {"refused": f"reading broke with {kind} in {last.filename}, line {last.lineno}"}
    return {"documents": documents}


def resealed(
    *,
    old: Mapping[str, Any],
    old_home: Mapping[str, Any],
    new: Mapping[str, Any],
    new_home: Mapping[str, Any],
    dry_run: bool,
    patience_s: float,
    allow: Callable[[int], object],
) -> dict[str, Any]:
    """What ``reseal`` says, of sources and homes as they travel.

    :raises MatrixError:
    """
    from framework.secrets.resealer import reseal  # which no service needs

    old_source, new_source = (KINDS[each["kind"]](**each) for each in (old, new))
    done = reseal(
        old_source,
        Home(**old_home),
        new_source,
        Home(**new_home),
        dry_run=dry_run,
        expect=lambda fields: allow(ceil(max(LIFETIME_S, patience_s, FIELD_S * fields))),
    )
    return asdict(done)


if __name__ == "__main__":
    main()
