"""``matrix rotate`` on a real Vault and API server, from the ``access.json`` and with the role that
``matrix access`` and ``matrix vault bootstrap`` made, as the service account ``matrix-rotate``.

The service's own login reads what is stored after each run.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from types import NoneType
from typing import Any, Self
from unittest.mock import patch

import hvac.api.secrets_engines
import pytest
import typer
from typer.testing import CliRunner

from framework.secrets.access import Access, Secret
from framework.secrets.renewal import ROTATED_AT, ROTATED_RESULT, ROTATED_TO
from framework.secrets.transit import Sealed, TransitRefused, version_of
from framework.secrets.vault.policies import ROTATOR
from framework.tools.rotate import rotate
from tests.real.authority import Authority
from tests.real.production import COPY, DATA_KEY, DOCUMENT, FIELDS, Production, rule
from tests.real.proxy import Proxy, pass_on
from tests.real.servers import RealKubernetes, RealVault
from tests.waiting import until_blocking

NOW = "min_age_hours = 0"
RETIRE = "retire = true\ngrace_hours = 0"
DONE, NOTHING, BLOCKED = 0, 3, 4


@dataclass(frozen=True)
class Run:
    """One that has ended."""

    status: int
    records: list[dict[str, Any]]
    last: dict[str, Any]
    err: str

    def reason(self, data_key: str) -> str:
        (reason,) = (each["reason"] for each in self.records if each["data_key"] == data_key)
        return str(reason)


class Job:
    """A namespace as in production, and the job that rotates in it: a folder with two files."""

    def __init__(self, production: Production) -> None:
        self.production = production
        self.vault, self.kubernetes = production.vault, production.kubernetes
        self.namespace = production.name
        self.folder = production.folder / "job"
        self.folder.mkdir()
        production.make()
        self.kubernetes.account(self.namespace, ROTATOR)
        production.allow(
            ROTATOR,
            *(rule(verb, DOCUMENT, FIELDS, COPY) for verb in ("get", "update")),
            rule("create", what="events"),
        )
        self.access = Path(production.path("access.json"))

    def run(
        self, *words: str, settings: str = "", login: str = "", more: str = "", **environ: str
    ) -> Run:
        """In this process, without a terminal."""
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(rotate)
        with patch.dict(os.environ):
            for name in ("MATRIX_TOML", "VAULT_NAMESPACE", "VAULT_ROLE", "VAULT_TOKEN_FILE"):
                os.environ.pop(name, None)
            done = CliRunner().invoke(
                app, [*self.words(settings, login, more), *words], env={**self.environ, **environ}
            )
        assert isinstance(done.exception, SystemExit | NoneType), done.exception
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.production.check(done.output)
        return Run(done.exit_code, lines[:-1], lines[-1], done.stderr)

    def start(self, settings: str) -> subprocess.Popen[str]:
        """In a process of its own."""
        matrix = str(Path(sys.executable).with_name("matrix"))
        return subprocess.Popen(
            [matrix, "rotate", *self.words(settings)],
            env={"PATH": os.environ["PATH"], **self.environ},
            stdout=subprocess.PIPE,
            text=True,
        )

    def words(self, settings: str, login: str = "", more: str = "") -> list[str]:
        """``login``: how, if not as a pod."""
        login = login or f'token_file = "{self.folder / "token"}"'
        (self.folder / "token").write_text(self.kubernetes.token(self.namespace, ROTATOR, "vault"))
        (self.folder / "matrix.toml").write_text(
            f"[secrets]\nprofilers = true\n[secrets.rotate]\n{settings}\n"
            f"[secrets.vault.login]\n{login}\n{more}"
        )
        return ["--from", str(self.access)]

    @property
    def environ(self) -> dict[str, str]:
        return {
            "MATRIX_TOML": str(self.folder / "matrix.toml"),
            "VAULT_ADDR": self.vault.address,
            "VAULT_CACERT": str(self.vault.ca_file),
            "KUBECONFIG": str(self.kubernetes.kubeconfig(self.namespace, ROTATOR)),
        }

    @property
    def human(self) -> dict[str, str]:
        """Who administers both."""
        token = self.production.write("root", self.vault.root_token)
        return {"VAULT_TOKEN_FILE": token, "KUBECONFIG": str(self.kubernetes.admin)}

    # --------------------------------------------------------------------------- what there is

    def rotated(self, settings: str = "") -> Run:
        """A run that makes a new version, once the newest one is some age."""
        self.age()
        done = self.run(settings=f"{NOW}\n{settings}")
        assert (done.status, done.last["rotated"]) == (DONE, True), done
        return done

    def age(self) -> None:
        """Wait until the newest version is a second old: Vault counts in seconds."""
        newest = max(self.key["keys"].values())
        until_blocking(lambda: self.vault.must("GET", "sys/health")["server_time_utc"] > newest)

    @property
    def key(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.vault.must("GET", f"{self.namespace}/keys/matrix")["data"]
        return data

    @property
    def floor(self) -> int:
        return int(self.key["min_decryption_version"])

    @property
    def versions(self) -> set[int]:
        return {
            version_of(text)
            for name in (DOCUMENT, FIELDS)
            for text in self.production.stored(name).data.values()
        }

    def events(self, name: str) -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/{self.namespace}/events"
        status, found = self.kubernetes.request("GET", path)
        assert status == 200
        items: list[dict[str, Any]] = found["items"]
        return [each for each in items if each["involvedObject"]["name"] == name]

    def change(self, name: str, patch: Mapping[str, Any], manager: str = "kubectl-edit") -> None:
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{name}?fieldManager={manager}"
        status, answer = self.kubernetes.request(
            "PATCH", path, patch, content_type="application/merge-patch+json"
        )
        assert status == 200, answer

    def check(self) -> None:
        """What was sealed is what the service reads."""
        self.production.be()
        config = self.production.read()
        assert config.token.get_secret_value() == self.production.values["declared: scalar"]
        assert config.pin.get_secret_value() == self.production.values["declared: field"]


@pytest.fixture
def job(vault: RealVault, kubernetes: RealKubernetes, tmp_path: Path) -> Job:
    return Job(Production(vault, kubernetes, tmp_path))


@pytest.fixture
def private(private_vault: RealVault, kubernetes: RealKubernetes, tmp_path: Path) -> Job:
    """With a Vault of its own."""
    return Job(Production(private_vault, kubernetes, tmp_path))


# ----------------------------------------------------------------------------------------- a run


@pytest.fixture(params=["1.21.2", "1.13.1"])
def each_job(
    request: pytest.FixtureRequest,
    vault_of: Callable[[str], RealVault],
    kubernetes: RealKubernetes,
    tmp_path: Path,
) -> Job:
    return Job(Production(vault_of(request.param), kubernetes, tmp_path))


def test_a_run_and_then_there_is_nothing_to_do(each_job: Job) -> None:
    job = each_job
    done = job.rotated()
    assert done.err == ""
    assert done.last["summary"] == (
        "rotated the key to v2, rewrapped 3 data keys; "
        "min_decryption_version stays 1 (retire = false)"
    )
    assert {(each["secret"], each["data_key"]) for each in done.records} == {
        (f"Secret {job.namespace}/{DOCUMENT}", DATA_KEY),
        (f"Secret {job.namespace}/{FIELDS}", "moon.pin"),
        (f"Secret {job.namespace}/{FIELDS}", "tide.pin"),
    }
    job.check()
    stored = job.production.stored(FIELDS)
    assert (job.versions, stored.annotations[ROTATED_TO]) == ({2}, "2")
    (event,) = job.events(FIELDS)
    assert (event["type"], event["reason"]) == ("Normal", "Rotated")
    assert event["message"] == "rewrapped to key version 2: moon.pin, tide.pin"
    assert event["involvedObject"]["uid"] == stored.uid
    assert event["involvedObject"]["resourceVersion"] == stored.version
    assert event["lastTimestamp"] == stored.annotations[ROTATED_AT]

    again = job.run()
    assert (again.status, again.err) == (NOTHING, "")
    assert job.production.stored(FIELDS) == stored
    assert job.events(FIELDS) == [event]


def test_a_dry_run_changes_nothing(job: Job) -> None:
    job.age()
    before = job.production.stored(DOCUMENT), job.production.stored(FIELDS), job.key
    done = job.run("--dry-run", settings=f"{NOW}\n{RETIRE}")
    assert done.status == DONE
    assert done.last["summary"].startswith("would rotate the key to v2, rewrap 3 data keys")
    assert (job.production.stored(DOCUMENT), job.production.stored(FIELDS), job.key) == before
    assert job.events(FIELDS) == []


def test_old_versions_are_retired_when_nothing_is_sealed_with_them(job: Job) -> None:
    old = job.production.stored(DOCUMENT).data[DATA_KEY]
    job.rotated(RETIRE)
    assert job.floor == 1
    done = job.rotated(RETIRE)
    assert done.last["summary"].endswith("raised min_decryption_version to 2")
    assert (job.floor, job.versions) == (2, {3})
    job.check()
    place = job.production.place("document", DOCUMENT)
    with job.production.transit(job.production.root) as transit, pytest.raises(TransitRefused):
        transit.decrypt(Sealed(place.context(DATA_KEY), old))


def test_who_rotates_cannot_decrypt(job: Job) -> None:
    job.rotated()
    text = job.production.stored(DOCUMENT).data[DATA_KEY]
    sealed = Sealed(job.production.place("document", DOCUMENT).context(DATA_KEY), text)
    with (
        job.production.transit(job.production.login("rotate", ROTATOR)) as transit,
        pytest.raises(TransitRefused, match="refuses"),
    ):
        transit.decrypt(sealed)


def set_clock(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """As this process sees it: the servers have their own."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + days * 86400)

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time(), tz)

    for name, module in list(sys.modules.items()):
        if name.startswith("framework.") and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Wrong)


@pytest.mark.parametrize("days", [-2, 2])
def test_a_clock_that_is_days_off_changes_nothing(
    job: Job, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    job.rotated(RETIRE)
    job.age()
    chosen = ("retire = true", f"{NOW}\n{RETIRE}")
    plans = [job.run("--dry-run", settings=each) for each in chosen]
    set_clock(monkeypatch, days)
    assert [job.run("--dry-run", settings=each) for each in chosen] == plans
    assert [plan.status for plan in plans] == [NOTHING, DONE]


def test_without_the_right_to_create_events_it_warns_once(job: Job) -> None:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{job.namespace}/roles/{ROTATOR}"
    rules = [dict(rule(verb, DOCUMENT, FIELDS)) for verb in ("get", "update")]
    status, _ = job.kubernetes.request(
        "PATCH", path, {"rules": rules}, content_type="application/merge-patch+json"
    )
    assert status == 200
    done = job.rotated()
    assert done.err.count("\n") == 1
    assert done.err.startswith(f"warning: what became of the Secrets in {job.namespace} is not in")
    assert job.events(FIELDS) == []


# ------------------------------------------------------------------------ what was put back


def test_a_vault_that_was_restored_stops_it(private: Job) -> None:
    old = private.vault.copy_data()
    private.rotated()
    new = private.vault.copy_data()
    before = private.production.stored(DOCUMENT), private.production.stored(FIELDS)
    private.vault.restore(old)
    private.vault.unseal()
    stopped = private.run(settings=NOW)
    assert (stopped.status, stopped.last["rotated"]) == (BLOCKED, False)
    assert "restored from an older backup" in stopped.reason("tide.pin")
    assert private.key["latest_version"] == 1
    after = private.production.stored(DOCUMENT), private.production.stored(FIELDS)
    assert [each.data for each in after] == [each.data for each in before]
    assert all("older backup" in each.annotations[ROTATED_RESULT] for each in after)
    assert {each["reason"] for each in private.events(FIELDS)} == {"Rotated", "RotateBlocked"}
    private.vault.restore(new)
    private.vault.unseal()
    private.check()
    private.rotated()
    private.check()
    assert ROTATED_RESULT not in private.production.stored(FIELDS).annotations


def test_an_old_ciphertext_after_a_raise_is_blocked_by_name_and_recovered(job: Job) -> None:
    old = job.production.stored(FIELDS).data["tide.pin"]
    job.rotated(RETIRE)
    job.rotated(RETIRE)
    job.production.put(FIELDS, {"tide.pin": old})
    job.age()
    stored = set()
    for _ in range(2):
        blocked = job.run(settings=f"{NOW}\n{RETIRE}")
        assert (blocked.status, blocked.last["rotated"]) == (BLOCKED, False)
        assert "Run matrix rotate --recover (" in blocked.reason("tide.pin")
        stored.add(job.production.stored(FIELDS).version)
    assert (job.floor, len(stored)) == (2, 1)
    said = job.production.stored(FIELDS).annotations[ROTATED_RESULT]
    assert said.startswith("blocked: tide.pin: it is sealed with key version 1 and the key allows")
    warnings = [each for each in job.events(FIELDS) if each["type"] == "Warning"]
    assert [each["reason"] for each in warnings] == ["RotateBlocked"]
    assert warnings[0]["message"].startswith("tide.pin: it is sealed with key version 1 and")

    recovered = job.run("--recover", "--yes", settings=RETIRE, **job.human)
    assert recovered.status == DONE
    assert recovered.last["summary"].startswith("lowered min_decryption_version to 1, rewrapped 1")
    assert (job.floor, job.versions) == (1, {3})
    assert ROTATED_RESULT not in job.production.stored(FIELDS).annotations
    job.check()
    assert job.run(settings=RETIRE).last["min_decryption_version"] == 3


def test_a_human_who_may_make_tokens_rotates_from_a_laptop(job: Job) -> None:
    job.age()
    login = 'method = "token-request"'
    done = job.run(settings=NOW, login=login, KUBECONFIG=str(job.kubernetes.admin))
    assert (done.status, job.versions) == (DONE, {2})
    job.check()


def test_what_gitops_brings_back_is_rewrapped(job: Job) -> None:
    old = job.production.stored(DOCUMENT).data
    job.rotated()
    job.production.put(DOCUMENT, old)
    done = job.run()
    assert (done.status, done.last["rotated"]) == (DONE, False)
    assert done.last["summary"].startswith("rewrapped 1 data key to v2")
    assert job.versions == {2}
    job.check()


def of_argo(job: Job) -> str:
    mark = {"argocd.argoproj.io/tracking-id": "app:/Secret:ns/fields"}
    job.change(FIELDS, {"metadata": {"annotations": mark}})
    return "Argo CD"


def of_a_manager(job: Job) -> str:
    """That applies the ciphertext as it is."""
    data = job.kubernetes.request("GET", f"/api/v1/namespaces/{job.namespace}/secrets/{FIELDS}")[1]
    applied = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": FIELDS},
        "data": {"tide.pin": data["data"]["tide.pin"]},
    }
    path = f"/api/v1/namespaces/{job.namespace}/secrets/{FIELDS}?fieldManager=flux&force=true"
    status, answer = job.kubernetes.request(
        "PATCH", path, applied, content_type="application/apply-patch+yaml"
    )
    assert status == 200, answer
    return 'the field manager "flux"'


@pytest.mark.parametrize("owned", [of_argo, of_a_manager])
def test_a_foreign_owner_blocks_the_raise_by_name(job: Job, owned: Callable[[Job], str]) -> None:
    job.rotated(RETIRE)
    owner = owned(job)
    job.age()
    blocked = job.run(settings=f"{NOW}\n{RETIRE}")
    assert (blocked.status, job.floor, job.versions) == (BLOCKED, 1, {3})
    (reason,) = blocked.last["reasons"]
    assert reason.startswith(f"Secret {job.namespace}/{FIELDS}: {owner} writes it too")
    said = {each["reason"]: each["message"] for each in job.events(FIELDS)}
    assert said["RotateBlocked"].startswith(f"{owner} writes it too")
    job.check()


# ------------------------------------------------------------------------------ what is listed


def test_a_data_key_that_is_not_listed_is_brought_up_too(job: Job) -> None:
    place = job.production.place("fields", FIELDS)
    job.production.put(FIELDS, {"sun.token": job.production.ciphertext(place, "sun.token", "v")})
    job.rotated(RETIRE)
    job.rotated(RETIRE)
    assert (job.floor, job.versions) == (2, {3})
    text = job.production.stored(FIELDS).data["sun.token"]
    with job.production.transit(job.production.root) as transit:
        assert transit.decrypt(Sealed(place.context("sun.token"), text)) == b"v"


def test_what_access_json_lacks_is_never_locked_out(job: Job) -> None:
    """The source of matrix.toml is in the way, and so is a Secret that cannot be read."""
    place = job.production.place("document", COPY)
    text = job.production.ciphertext(place, DATA_KEY, "v")
    job.production.put(COPY, {DATA_KEY: text})
    more = (
        f'[[secrets.source]]\nkind = "kubernetes"\ncluster = "home"\nsecret = "{COPY}"\n'
        f'namespace = "{job.namespace}"'
    )
    for _ in range(3):
        job.age()
        blocked = job.run(settings=f"{NOW}\n{RETIRE}", more=more)
        assert blocked.status == BLOCKED
        assert blocked.reason("").endswith("run matrix access")
        assert blocked.last["summary"].startswith("blocked: rotated the key to v")
    assert (job.floor, job.versions) == (1, {4})
    with job.production.transit(job.production.root) as transit:
        assert transit.decrypt(Sealed(place.context(DATA_KEY), text)) == b"v"
    (event,) = job.events(COPY)
    assert event["reason"] == "RotateBlocked"
    job.check()


def test_of_several_namespaces_one_is_chosen(job: Job) -> None:
    access = Access.read(job.access)
    (here,) = access.namespaces
    there = here.model_copy(update={"cluster": "away", "key": "another"})
    elsewhere = here.model_copy(
        update={"namespace": "elsewhere", "key": "a-third", "workloads": ()}
    )
    job.access.write_text(Access(namespaces=(here, elsewhere)).text())
    assert job.run().status == NOTHING  # the one that the kubeconfig is in
    job.access.write_text(Access(namespaces=(here, there)).text())
    assert job.run("--cluster", "home").status == NOTHING
    assert job.run("--cluster", "home", "--namespace", job.namespace).status == NOTHING


# --------------------------------------------------------------------------- how many there are


def sealed(job: Job, count: int) -> tuple[Secret, ...]:
    """So many documents."""
    secrets = [
        Secret(secret=f"number-{number}", layout="document", data_keys=(DATA_KEY,))
        for number in range(count)
    ]
    path = f"/api/v1/namespaces/{job.namespace}/secrets"
    with job.production.transit(job.production.root) as transit:
        for each in secrets:
            context = job.production.place("document", each.secret).context(DATA_KEY)
            data = base64.b64encode(transit.encrypt(context, b"v").encode()).decode()
            body = {"metadata": {"name": each.secret}, "data": {DATA_KEY: data}}
            job.kubernetes.create(path, body)
    return tuple(secrets)


def test_for_a_hundred_secrets_vault_is_asked_a_dozen_times(job: Job, authority: Authority) -> None:
    (here,) = Access.read(job.access).namespaces
    hundred = here.model_copy(update={"inventory": sealed(job, 100), "workloads": ()})
    job.access.write_text(Access(namespaces=(hundred,)).text())
    admin = str(job.kubernetes.admin)
    with Proxy(authority.leaf("proxy"), {"vault": job.vault.port}) as proxy:
        for version in (2, 3):
            job.age()
            with proxy.acting(pass_on) as calls:
                done = job.run(
                    settings=f"{NOW}\n{RETIRE}",
                    VAULT_ADDR=proxy.address("vault"),
                    KUBECONFIG=admin,
                )
            assert [each["after"] for each in done.records] == 100 * [version]
            assert len(calls) <= 12, [call.path for call in calls]
    assert job.floor == 2


# ------------------------------------------------------------------------------- at bad times


def test_a_vault_that_is_restarted_in_the_middle_of_a_batch(
    private: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    transit: Any = hvac.api.secrets_engines.Transit
    rewrap, calls = transit.rewrap_data, []

    def back() -> None:
        private.vault.start()
        private.vault.unseal()

    restart = threading.Thread(target=back)

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs)
        if len(calls) == 2:  # the first proves; this one rewraps
            private.vault.kill()
            restart.start()
        return rewrap(*args, **kwargs)

    private.age()
    monkeypatch.setattr(transit, "rewrap_data", interrupted)
    done = private.run(settings=NOW)
    restart.join()
    assert (done.status, done.last["rotated"], private.versions) == (DONE, True, {2}), done
    private.check()


def test_two_at_once(job: Job) -> None:
    job.age()
    several = [job.start(f"{NOW}\n{RETIRE}") for _ in range(2)]
    ended = [each.communicate(timeout=60) for each in several]
    assert {each.returncode for each in several} <= {DONE, NOTHING}, ended
    job.check()
    assert job.run(settings=RETIRE).status in (DONE, NOTHING)
    assert job.versions == {job.key["latest_version"]}
    job.check()
