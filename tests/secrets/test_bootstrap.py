"""What bootstrap makes of what it finds, on a Vault that is a table of paths. That real ones say
the same, and what its roles may do there, is tested in ``tests/real``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from framework.errors import ConfigError
from framework.secrets.access import Access, Namespace, Secret, Workload
from framework.secrets.transit import TransitRefused
from framework.secrets.vault.bootstrap import Bootstrap, Cluster
from framework.secrets.vault.client import Reply
from framework.tools import vault as tool

WHOLE = {"secret": "whole", "layout": "document", "data_keys": ["secrets.json"]}
READS = (Secret.model_validate(WHOLE),)
TIDE = Workload(name="tide", service_account="tide", instances=("tide",), reads=READS)
HOME = Namespace(
    cluster="home",
    namespace="matrix",
    mount="transit",
    key="matrix",
    auth="kubernetes",
    inventory=READS,
    workloads=(TIDE,),
)
KEY, CONFIG = "transit/keys/matrix", "auth/kubernetes/config"
ROLE = "auth/kubernetes/role/matrix_home_matrix_read_tide"


class TableVault:
    """Keeps what is posted under its path. Is session, client and adapter in one."""

    name = "Vault at test"

    def __init__(self) -> None:
        self.vault = self.login = self.adapter = self
        self.table: dict[str, dict[str, Any]] = {"sys/mounts": {}, "sys/auth": {}}
        self.posted: list[str] = []
        self.forbidden = ""

    def end(self) -> None: ...

    def ask(self, path: str, ask: Callable[[Any], Reply], *, repeat: bool) -> Reply:
        assert repeat is not path.startswith("post ")
        return ask(self)

    def request(self, method: str, path: str, *, json: Any) -> Reply:
        path = path.removeprefix("/v1/")
        if path == self.forbidden:
            return Reply(403, {"errors": ["permission denied"]})
        if method == "post":
            self.posted.append(path)
            parent, _, name = path.rpartition("/")
            if parent in ("sys/mounts", "sys/auth"):
                self.table[parent][f"{name}/"] = json
            self.table.setdefault(path, {}).update(json)
            return Reply(204, {})
        if method == "list":
            names = [key.rpartition("/")[2] for key in self.table if key.startswith(f"{path}/")]
            return Reply(200, {"data": {"keys": names}}) if names else Reply(404, {})
        return Reply(200, {"data": self.table[path]}) if path in self.table else Reply(404, {})


@pytest.fixture
def vault() -> Any:
    return TableVault()


def made(vault: Any, namespace: Namespace = HOME, cluster: Cluster | None = None) -> list[str]:
    """Bootstraps; the warnings."""
    bootstrap = Bootstrap(vault)
    plan = bootstrap.plan([namespace], cluster or Cluster())
    for change in plan.changes:
        bootstrap.make(change)
    return list(plan.warnings)


def test_all_at_first_and_then_nothing(vault: Any) -> None:
    cluster = Cluster("https://api:6443", "PEM", "a.re.viewer")
    assert made(vault, cluster=cluster) == []
    assert vault.posted[:4] == ["sys/auth/kubernetes", CONFIG, "sys/mounts/transit", KEY]
    assert len(vault.posted) == 4 + 3 * 2
    assert vault.table[CONFIG] == {
        "kubernetes_host": "https://api:6443",
        "kubernetes_ca_cert": "PEM",
        "token_reviewer_jwt": "a.re.viewer",
    }
    vault.posted.clear()
    assert made(vault) == made(vault, cluster=Cluster("https://api:6443", "PEM\n")) == []
    assert vault.posted == []


def test_what_ran_halfway_is_gone_on_with(vault: Any) -> None:
    bootstrap = Bootstrap(vault)
    changes = bootstrap.plan([HOME], Cluster()).changes
    for change in changes[:3]:
        bootstrap.make(change)
    rest = bootstrap.plan([HOME], Cluster()).changes
    assert [change.path for change in rest] == [change.path for change in changes[3:]]


@pytest.mark.parametrize(
    ("cluster", "why", "host"),
    [
        (Cluster("https://api:6443"), "(it has another kubernetes_host)", "https://api:6443"),
        (Cluster(ca_pem="PEM"), "(it has another kubernetes_ca_cert)", "URL"),
        (
            Cluster(reviewer="a.re.viewer"),
            "(whether it has this token_reviewer_jwt, Vault does not show)",
            "URL",
        ),
    ],
)
def test_how_a_login_is_checked_is_never_changed(
    vault: Any, cluster: Cluster, why: str, host: str
) -> None:
    made(vault)
    assert vault.table[CONFIG] == {"kubernetes_host": "https://kubernetes.default.svc"}
    vault.posted.clear()
    (warning,) = made(vault, cluster=cluster)
    assert warning.startswith(f"{CONFIG} is there, and was left as it is {why}")
    command = f"vault write {CONFIG} kubernetes_host={host} kubernetes_ca_cert=@FILE"
    assert f"{command} token_reviewer_jwt=@FILE" in warning
    assert "a.re.viewer" not in warning
    assert vault.posted == []


def test_that_vault_may_be_outside_of_the_cluster_is_said_before(vault: Any) -> None:
    def cautions(cluster: Cluster) -> dict[str, str]:
        changes = Bootstrap(vault).plan([HOME], cluster).changes
        return {change.path: change.caution for change in changes if change.caution}

    assert list(cautions(Cluster())) == [CONFIG]
    assert "--kubernetes-host, --kubernetes-ca-file and" in cautions(Cluster())[CONFIG]
    assert cautions(Cluster("https://api:6443")) == {}
    made(vault)
    assert cautions(Cluster()) == {}


@pytest.mark.parametrize(
    ("path", "there", "said"),
    [
        (KEY, {"type": "aes256-gcm96", "derived": False}, "not derived"),
        (KEY, {"type": "ed25519", "derived": True}, "of a kind that cannot be used"),
    ],
)
def test_a_key_that_cannot_be_used(vault: Any, path: str, there: Any, said: str) -> None:
    vault.table |= {"sys/mounts": {"transit/": {"type": "transit"}}, path: there}
    with pytest.raises(TransitRefused, match=said):
        made(vault)
    assert vault.posted == []


def test_something_else_in_its_place(vault: Any) -> None:
    vault.table["sys/auth"] = {"kubernetes/": {"type": "jwt"}}
    with pytest.raises(TransitRefused, match="something else at kubernetes/ than kubernetes"):
        made(vault)
    assert vault.posted == []


def test_a_key_with_more_than_is_needed(vault: Any) -> None:
    made(vault)
    vault.table[KEY] |= {"exportable": True, "deletion_allowed": False}
    assert made(vault) == [
        "the key matrix of transit is there with exportable = true, which nobody here needs"
    ]


def test_a_vault_outside_of_the_cluster_is_told_what_to_give(
    vault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = vault.request
    monkeypatch.setattr(
        vault,
        "request",
        lambda method, path, *, json: (
            Reply(400, {"errors": ["open ca.crt: no such file"]})
            if (method, path) == ("post", f"/v1/{CONFIG}")
            else request(method, path, json=json)
        ),
    )
    with pytest.raises(TransitRefused) as caught:
        made(vault)
    assert "--kubernetes-host, --kubernetes-ca-file and" in str(caught.value)
    assert str(caught.value).endswith(
        "Done before: the kubernetes auth method, kubernetes/, which stays. The next run goes on "
        "from there"
    )
    assert vault.posted == ["sys/auth/kubernetes"]
    monkeypatch.undo()
    assert made(vault) == []


# ------------------------------------------------------------------------ what would be less, or is


def less(vault: Any, namespace: Namespace) -> dict[str, Sequence[str]]:
    """What would be lost, by its path."""
    changes = Bootstrap(vault).plan([namespace], Cluster()).changes
    return {change.path: change.lost for change in changes if change.lost}


def reading(name: str, *reads: Secret, account: str = "") -> Namespace:
    workload = Workload(
        name=name, service_account=account or name, instances=(name,), reads=reads or READS
    )
    return HOME.model_copy(update={"workloads": (workload,), "inventory": reads or READS})


SOME = "some"


def fields(*data_keys: str) -> Secret:
    return Secret(secret=SOME, layout="fields", data_keys=data_keys)


def test_a_field_that_is_added_takes_nothing_away_and_one_that_is_gone_is_named(vault: Any) -> None:
    made(vault, reading("tide", fields("tide.token")))
    more = reading("tide", fields("tide.token", "tide.level"))
    assert less(vault, more) == {}
    made(vault, more)
    assert less(vault, reading("tide", fields("tide.token"))) == {
        f"sys/policies/acl/matrix_home_matrix_{role}": ["tide.level in some"]
        for role in ("read_tide", "encrypt")
    }


def test_another_service_account_takes_the_login_from_the_first(vault: Any) -> None:
    made(vault, reading("tide"))
    assert less(vault, reading("tide", account="pi")) == {
        ROLE: ["bound_service_account_names tide"]
    }


def test_what_nobody_is_any_more_is_named_and_left(vault: Any) -> None:
    made(vault)
    (warning,) = made(vault, reading("moon"))
    policy = "sys/policies/acl/matrix_home_matrix_read_tide"
    assert warning.startswith(f"{policy} and {ROLE}: access.json does not have this")
    assert "in another access.json for home/matrix, merge them" in warning
    assert warning.endswith(f"vault delete {policy} && vault delete {ROLE}")
    assert {policy, ROLE} < set(vault.table)


def test_a_role_at_the_mount_that_was_before_is_left_over(vault: Any) -> None:
    made(vault)
    other = HOME.model_copy(update={"namespace": "other", "key": "other"})
    moved = HOME.model_copy(update={"auth": "k8s"})
    plan = Bootstrap(vault).plan([moved, other], Cluster())
    assert [each.partition(": ")[0] for each in plan.warnings] == [
        f"auth/kubernetes/role/matrix_home_matrix_{role}"
        for role in ("encrypt", "read_tide", "rotate")
    ]


def test_other_namespaces_of_the_cluster_are_a_note_and_other_clusters_nothing(vault: Any) -> None:
    for more in (
        {"namespace": "matrix-read"},
        {"cluster": "home-matrix", "namespace": "read", "auth": "k8s"},
    ):
        made(vault, HOME.model_copy(update={**more, "key": "other"}))
    vault.table["sys/policies/acl/default"] = {"policy": ""}
    plan = Bootstrap(vault).plan([HOME], Cluster())
    assert plan.warnings == []
    assert plan.others == ["home/matrix-read"]


# ----------------------------------------------------------------------------- what it is told

Run = Callable[..., Result]


@pytest.fixture
def run(vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, on a namespace as ``access.json`` has it."""
    monkeypatch.setattr(tool, "Session", lambda client, login: vault)
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(tool.bootstrap)

    def run(namespace: Namespace, *words: str) -> Result:
        (tmp_path / "access.json").write_text(Access(namespaces=(namespace,)).text())
        mine = {"MATRIX_TOML": None, "VAULT_TOKEN_FILE": None, "VAULT_CACERT": None}
        return CliRunner().invoke(app, words, env={**mine, "VAULT_ADDR": "http://127.0.0.1:9"})

    return run


SMALL = reading("tide", fields("tide.token"))
LARGE = reading("tide", fields("tide.token", "tide.level"))


def test_what_is_said_from_the_first_run_on(vault: Any, run: Run) -> None:
    dry = run(SMALL, "--dry-run")
    assert (dry.exit_code, vault.posted) == (0, [])
    assert dry.stderr.startswith("warning: auth/kubernetes/config: https://kubernetes.default.svc")
    assert '    +path "transit/decrypt/matrix" {' in dry.stdout
    first = run(SMALL)
    assert (first.exit_code, first.stderr) == (0, "")
    assert [line.split()[0] for line in first.stdout.splitlines()] == ["made"] * 10
    assert run(SMALL).output == "nothing to change\n"
    more = run(LARGE)
    assert (more.exit_code, more.stderr) == (0, "")
    (added,) = {line for line in more.stdout.splitlines() if line.startswith("    +")}
    assert added.endswith("# tide.level in some")
    assert more.stdout.splitlines() == [
        "changed policy matrix_home_matrix_read_tide",
        '     path "transit/decrypt/matrix" {',
        added,
        "changed policy matrix_home_matrix_encrypt",
        '     path "transit/encrypt/matrix" {',
        added,
        '     path "transit/rewrap/matrix" {',
        added,
    ]


def test_other_namespaces_are_one_short_line(run: Run) -> None:
    for name in ("one", "two"):
        run(HOME.model_copy(update={"namespace": name, "key": name}))
    assert run(SMALL).stderr == "note: access.json does not have home/one, home/two\n"


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_nothing_is_taken_away_unless_told_to(vault: Any, run: Run, words: tuple[str, ...]) -> None:
    run(LARGE)
    vault.posted.clear()
    less = run(SMALL, *words)
    assert isinstance(less.exception, ConfigError)
    *lost, remedy = str(less.exception).splitlines()
    assert lost == [
        f"policy matrix_home_matrix_{role} would lose tide.level in some"
        for role in ("read_tide", "encrypt")
    ]
    assert "matrix access a.toml b.toml" in remedy
    assert "say --take-away" in remedy
    assert ("would change policy" in less.stdout) == bool(words)
    assert vault.posted == []
    told = run(SMALL, *words, "--take-away")
    assert told.exit_code == 0
    assert "# tide.level in some" in told.stdout
    assert len(vault.posted) == (0 if words else 2)


# ------------------------------------------------------------------------------ what is put right


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bound_service_account_namespace_selector", '{"matchLabels": {"a": "b"}}'),
        ("bound_service_account_namespaces", ["matrix", "other"]),
        ("alias_name_source", "serviceaccount_name"),
        ("token_period", 86400),
        ("token_explicit_max_ttl", 86400),
        ("token_num_uses", 1),
        ("token_policies", ["root"]),
    ],
)
def test_who_may_log_in_and_for_how_long_is_put_right(vault: Any, name: str, value: Any) -> None:
    made(vault)
    wanted = dict(vault.table[ROLE])
    vault.table[ROLE][name] = value
    vault.posted.clear()
    made(vault)
    assert vault.posted == [ROLE]
    assert vault.table[ROLE] == wanted


def test_a_difference_is_shown_line_by_line(vault: Any) -> None:
    made(vault)
    vault.table[ROLE]["token_ttl"] = 86400
    bootstrap = Bootstrap(vault)
    (change,) = bootstrap.plan([HOME], Cluster()).changes
    assert not change.is_new
    assert [line for line in change.difference if line[0] in "+-"] == [
        "-token_ttl = 86400",
        "+token_ttl = 60",
    ]


@pytest.mark.parametrize(
    ("path", "what"), [("sys/mounts", "read"), ("sys/policies/acl/matrix_home_matrix_rotate", "")]
)
def test_what_may_not_be_done_is_named(vault: Any, path: str, what: str) -> None:
    vault.forbidden = path
    with pytest.raises(TransitRefused, match=rf"does not let .* {what}.*{path}.*--token-file"):
        made(vault)
    assert vault.posted == []
