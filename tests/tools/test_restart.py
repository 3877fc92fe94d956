"""What is to be started again: who reads it by ``access.json``, if that is written down there."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.secrets.access import Access, Namespace, Secret, Workload
from framework.secrets.kubernetes.source import KubernetesSource
from framework.secrets.place import Layout
from framework.secrets.source import Home
from framework.tools.restart import next_step


def secret(name: str, layout: Layout, *data_keys: str) -> Secret:
    return Secret(secret=name, layout=layout, data_keys=data_keys)


READ = {
    "moon": secret("both", "document", "tide.pin"),
    "panel": secret("both", "fields", "panel.pin"),
    "tide": secret("both", "fields", "tide.pin"),
}
UNREAD = secret("unread", "document", "secrets.json")


def source(name: str, *, cluster: str = "home", layout: Layout = "document") -> KubernetesSource:
    return KubernetesSource(secret=name, namespace="led", cluster=cluster, layout=layout)


SOURCE = source("both", layout="fields")
BEFORE = "kubectl -n led rollout restart deployment/"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Namespace(
        cluster="home",
        namespace="led",
        mount="transit",
        key="matrix",
        auth="kubernetes",
        inventory=(*READ.values(), UNREAD),
        workloads=tuple(
            Workload(name=name, service_account=name, instances=(name,), reads=(read,))
            for name, read in READ.items()
        ),
    )
    (tmp_path / "access.json").write_text(Access(namespaces=(made,)).text())
    return Home(str(tmp_path), "")


def test_who_reads_one_of_the_fields_and_not_who_reads_the_document(home: Home) -> None:
    assert next_step(SOURCE, ["tide.pin"], home) == f"{BEFORE}tide"
    assert next_step(SOURCE, ["tide.pin", "panel.pin"], home) == f"{BEFORE}panel deployment/tide"


@pytest.mark.parametrize(
    "given",
    [
        source("new"),
        source("unread", layout="fields"),
        source("both", cluster="lab"),
    ],
)
def test_where_it_is_not_written_down_it_is_found_out_first(
    home: Home, given: KubernetesSource
) -> None:
    assert next_step(given, ["secrets.json"], home) == (
        f"matrix access, then {BEFORE}NAME, for each that it says reads {given.secret}"
    )


def test_without_the_file_too(tmp_path: Path) -> None:
    assert next_step(SOURCE, ["tide.pin"], Home(str(tmp_path), "")).startswith("matrix access, ")


def test_what_nobody_reads(home: Home) -> None:
    assert next_step(source("unread"), ["secrets.json"], home).startswith(
        "nothing reads that, as access.json"
    )
    assert next_step(SOURCE, ["air.pin"], home).startswith("nothing reads that")
