"""Read ``[secrets.kubernetes]``: check it, and fill it up as ``kubectl`` would.

What the file says counts most, then ``KUBECONFIG``, then that this is a pod, then
``~/.kube/config``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from framework.secrets.kubernetes.settings import FOR_PLUGINS, IN_POD, KubernetesSettings
from framework.tables import Location, Table, in_words

WITHIN: Location = ("secrets", "kubernetes")
_KUBECONFIG = "KUBECONFIG"
VARIABLES = (_KUBECONFIG, *IN_POD, *FOR_PLUGINS)
"""All that is looked for in the environment."""
_DEFAULT = "~/.kube/config"


class _Kubernetes(Table):
    kubeconfig: str = ""
    context: str = ""
    ca_file: str = ""
    strict: bool = Field(default=True, strict=True)


def read_kubernetes(
    path: Path, table: Mapping[str, Any], environ: Mapping[str, str], folder: Path
) -> KubernetesSettings | list[str]:
    """The settings, or their problems, a line each.

    ``path``: the file that ``table`` stands in; ``folder``: what relative paths start from.
    """
    try:
        given = _Kubernetes.model_validate(dict(table))
    except ValidationError as error:
        return in_words(path, error, lambda _: _Kubernetes.model_fields, WITHIN)
    known = {name: environ[name] for name in (*IN_POD, *FOR_PLUGINS) if environ.get(name)}
    is_pod = all(name in known for name in IN_POD)
    if given.kubeconfig:
        kubeconfig = _absolute(given.kubeconfig, folder)
    elif environ.get(_KUBECONFIG):
        kubeconfig = _absolute(environ[_KUBECONFIG], Path.cwd())
    else:
        kubeconfig = "" if is_pod and not given.context else _absolute(_DEFAULT, folder)
    return KubernetesSettings(
        kubeconfig=kubeconfig,
        context=given.context,
        ca_file=_absolute(given.ca_file, folder),
        strict=given.strict,
        environ=known,
    )


def _absolute(paths: str, folder: Path) -> str:
    """The child works in another folder."""
    folder = folder.absolute()
    return ":".join(str(folder / os.path.expanduser(each)) for each in paths.split(":") if each)  # noqa: PTH111  # as it is, where there is no home
