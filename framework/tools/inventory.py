"""What ``matrix rotate`` is about: keys, and all that each of them seals.

What the local keyring seals, ``matrix.toml`` says. What a key in Vault seals, ``access.json`` says
and nothing else: it covers every ``matrix.toml`` of a namespace (``vaultkey``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from framework.errors import ConfigError
from framework.project import Project
from framework.secrets.access import FILE
from framework.secrets.rotator import Entry
from framework.secrets.settings import SecretsSettings
from framework.secrets.source import Source
from framework.tools.key import Chosen, Key
from framework.tools.sealed import sealed_sources


@contextmanager
def opened(project: Project, settings: SecretsSettings, chosen: Chosen) -> Iterator[list[Key]]:
    """The keys: one for each cluster and namespace.

    :raises ConfigError: there is none, or it is not clear what one seals.
    """
    sealed = [each for each in settings.sources if not each.plain]
    local = [each for each in sealed if not each.needs_vault]
    in_vault = [each for each in sealed if each.needs_vault]
    keys = [_local_key(local, settings)] if local else []
    # With files alone, an access.json may lie there for others.
    in_question = bool(in_vault or chosen.cluster or chosen.namespace)
    path = chosen.file or (_found(project) if in_question or not local else None)
    if path is not None:
        # Here, because it takes a while, and is not needed on a laptop.
        from framework.tools.vaultkey import vault_key

        with vault_key(project, settings, chosen, path, in_vault) as key:
            yield [*keys, key]
    elif in_question:
        raise ConfigError(
            f"there is no {FILE}, which says all that a key in Vault seals: make it (matrix "
            "access), or say where it is (--from)"
        )
    else:
        sealed_sources(settings)  # says how to make one, if there is none
        yield keys


def _found(project: Project) -> Path | None:
    """Where ``matrix access`` left it."""
    folders = (project.state.parent, Path.cwd())
    return next((each / FILE for each in folders if (each / FILE).exists()), None)


def _local_key(sources: Sequence[Source], settings: SecretsSettings) -> Key:
    entries, names = [], {}
    for source in dict.fromkeys(sources):
        store = source.writable_store(settings.home)
        data_keys = (source.data_key,) if source.layout == "document" else ()
        entries.append(Entry(source.place, store, data_keys))
        names[store.name] = source.name
    first = sources[0]
    return Key(
        cluster=first.place.cluster,
        namespace=first.place.namespace,
        inventory=entries,
        transit=lambda: first.transit(settings.home),
        names=names,
    )
