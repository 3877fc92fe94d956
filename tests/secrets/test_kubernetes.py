"""``KubernetesStore`` and its connection: what goes wrong, in words, and no secret is shown."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import logging
import os
import socket
import ssl
import stat
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError, MatrixError
from framework.secrets.encryptor import LAST_APPLIED, Encryptor, edit_annotation
from framework.secrets.kubernetes.client import KubernetesClient, Reply
from framework.secrets.kubernetes.owner import owner_of
from framework.secrets.kubernetes.settings import KubernetesSettings
from framework.secrets.kubernetes.store import (
    KubernetesStore,
    plain_contents,
    request_token,
)
from framework.secrets.place import SEALED_FOR, SecretPlace
from framework.secrets.rotator import Entry, Outcome, rotate
from framework.secrets.store import Conflict, Stored, StoreRefused, StoreUnavailable
from framework.testing.secrets import MemoryTransit
from tests.real.authority import Authority
from tests.secrets.httpserver import Answer, Request
from tests.secrets.kubernetes_standin import (
    GOOD,
    NAMESPACE,
    KubernetesStandin,
    encoded,
    status,
)
from tests.secrets.vault_standin import JWT
from tests.waiting import LIMIT_S

NAME = "matrix-secrets"
MARKER = "sEcReT-91c4"
SEALED = "vault:v1:QUJD"
PLACE = SecretPlace("document", "home", NAMESPACE, NAME)
RULE = '- {apiGroups: [""], resources: [secrets]'


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[KubernetesStandin]:
    with KubernetesStandin(tmp_path) as standin:
        yield standin


@pytest.fixture
def client(standin: KubernetesStandin) -> Iterator[KubernetesClient]:
    with closing(standin.client()) as client:
        yield client


@pytest.fixture
def store(client: KubernetesClient) -> KubernetesStore:
    return KubernetesStore(client, namespace=NAMESPACE, name=NAME)


@pytest.fixture
def opened() -> Iterator[Callable[[KubernetesSettings], KubernetesClient]]:
    with ExitStack() as stack:

        def make(settings: KubernetesSettings) -> KubernetesClient:
            return stack.enter_context(closing(KubernetesClient(settings, patience_s=5)))

        yield make


@pytest.fixture(autouse=True)
def _nothing_is_said(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    said = capfd.readouterr()
    said_in_logs = "".join(f"{vars(record)}" for record in caplog.get_records("call"))
    coded = base64.b64encode(MARKER.encode()).decode().rstrip("=")
    for secret in (MARKER, coded, GOOD, JWT):
        assert secret not in said.out + said.err + said_in_logs


def shown(error: BaseException) -> str:
    """All that a log or a crash report shows of it, but for the frames of the test."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    values = [value for frame, _ in traceback.walk_tb(frames) for value in frame.f_locals.values()]
    return repr([str(error), repr(error), vars(error), *values])


def refusal(
    error: type[MatrixError], call: Callable[[], object], *, secrets: tuple[str, ...] = (GOOD,)
) -> str:
    """What is said; nothing else is shown."""
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    for secret in (MARKER, base64.b64encode(MARKER.encode()).decode(), *secrets):
        assert secret not in shown(raised.value)
    return str(raised.value)


# ------------------------------------------------------------------------------------- the contract


def test_what_is_not_ours_stays(standin: KubernetesStandin, store: KubernetesStore) -> None:
    made = standin.put(
        "secrets",
        NAME,
        metadata={"labels": {"app": "matrix"}, "finalizers": ["x"], "annotations": {"a": "b"}},
        data=encoded({"ca.p12": b"\xff\xfe", "notes": "é"}),
        type="example.org/own",
        later={"unknown": ["to", "us"]},
    )
    held = store.read()
    assert held is not None
    assert (held.data, held.annotations) == ({"notes": "é"}, {"a": "b"})
    stored = store.replace(held, {"new": "n"}, {"a": "c"})
    assert (stored.data, stored.annotations) == ({"new": "n"}, {"a": "c"})
    after = standin.secret(NAME)
    assert after["data"] == encoded({"ca.p12": b"\xff\xfe", "new": "n"})
    assert {**after, "metadata": 0, "data": 0} == {**made, "metadata": 0, "data": 0}
    assert after["metadata"]["labels"] == {"app": "matrix"}
    assert after["metadata"]["finalizers"] == ["x"]


def test_no_write_goes_without_the_version(
    standin: KubernetesStandin, store: KubernetesStore
) -> None:
    """Kubernetes takes one without, and writes over whatever is there."""
    held = store.create({"a": "1"}, {})
    store.replace(held, {"a": "2"}, {})
    (put,) = [each for each in standin.requests if each.method == "PUT"]
    assert put.body["metadata"]["resourceVersion"] == held.version
    assert put.query == {"fieldManager": ["matrix"]}
    del standin.secret(NAME)["metadata"]["resourceVersion"]
    assert "Kubernetes does not say" in refusal(StoreRefused, store.read)


def test_one_that_was_removed_or_made_anew(
    standin: KubernetesStandin, store: KubernetesStore
) -> None:
    held = store.create({"a": "1"}, {})
    standin.objects.clear()
    said = refusal(Conflict, lambda: store.replace(held, {"a": "2"}, {}))
    assert said == f"Secret {NAMESPACE}/{NAME} was removed since it was read"
    standin.put("secrets", NAME, data={}, metadata={"uid": "another"})
    standin.secret(NAME)["metadata"]["resourceVersion"] = held.version
    assert "by somebody else" in refusal(Conflict, lambda: store.replace(held, {"a": "2"}, {}))


def test_only_what_was_read_here_is_replaced(store: KubernetesStore) -> None:
    with pytest.raises(TypeError):
        store.replace(Stored("1", {}), {}, {})


def test_what_is_stored_is_not_shown(standin: KubernetesStandin, store: KubernetesStore) -> None:
    standin.put(
        "secrets",
        NAME,
        data=encoded({"a": MARKER}),
        metadata={"annotations": {LAST_APPLIED: MARKER}},
    )
    held = store.read()
    assert held is not None
    assert held.data == {"a": MARKER}
    assert MARKER not in repr(held)


# -------------------------------------------------------------------------------------- who refuses


def test_an_immutable_one(standin: KubernetesStandin, store: KubernetesStore) -> None:
    standin.put("secrets", NAME, data=encoded({"a": MARKER}), immutable=True)
    held = store.read()
    assert held is not None
    said = refusal(StoreRefused, lambda: store.replace(held, {"a": "new"}, {}))
    assert said == (
        f"Secret {NAMESPACE}/{NAME} is immutable, so Kubernetes does not change it: make another, "
        "with matrix encrypt, or with matrix reseal, which keeps the values, and let secret in "
        "[[secrets.source]] name it"
    )
    assert store.replace(held, held.data, {"b": "c"}).annotations == {"b": "c"}


def test_one_that_became_immutable(standin: KubernetesStandin, store: KubernetesStore) -> None:
    held = store.create({"a": SEALED}, {})
    standin.secret(NAME)["immutable"] = True
    said = refusal(StoreRefused, lambda: store.replace(held, {"a": "new"}, {}))
    assert said.endswith(f"does not store Secret {NAMESPACE}/{NAME}: data cannot be changed")


def test_one_that_is_too_large(standin: KubernetesStandin, store: KubernetesStore) -> None:
    most = "x" * (1024 * 1024)
    held = store.create({"a": most}, {})
    asked = len(standin.requests)
    for write in (
        lambda: store.replace(held, {"a": most, "b": SEALED}, {}),
        lambda: store.create({"a": most, "b": SEALED}, {}),
    ):
        assert "1048576 bytes are allowed" in refusal(StoreRefused, write)
    assert len(standin.requests) == asked


@pytest.mark.parametrize(
    "answer",
    [
        status(500, "InternalError", "etcdserver: request is too large"),
        status(413, "RequestEntityTooLarge", "limit is 3145728"),
        Answer(413, b"<html>nginx</html>"),
    ],
)
def test_a_request_that_is_too_large(
    standin: KubernetesStandin, store: KubernetesStore, answer: Answer
) -> None:
    standin.intercept = lambda request: answer
    assert "split it into two sources" in refusal(
        StoreRefused, lambda: store.create({"a": SEALED}, {})
    )
    assert len(standin.requests) == 1


@pytest.mark.parametrize(
    ("verb", "call", "rules"),
    [
        ("get", KubernetesStore.read, f"the rule {RULE}, resourceNames: [{NAME}], verbs: [get]}}"),
        (
            "create",
            lambda store: store.create({"a": SEALED}, {}),
            f"the rules\n{RULE}, resourceNames: [{NAME}], verbs: [get]}}\n"
            f"{RULE}, verbs: [create]}}",
        ),
        (
            "update",
            lambda store: store.replace(store.read(), {"a": SEALED}, {}),
            f"the rule {RULE}, resourceNames: [{NAME}], verbs: [get, update]}}",
        ),
    ],
)
def test_a_right_that_is_missing(
    standin: KubernetesStandin,
    store: KubernetesStore,
    verb: str,
    call: Callable[[Any], object],
    rules: str,
) -> None:
    if verb == "update":
        standin.put("secrets", NAME, data={})
    standin.forbidden.add((verb, "secrets"))
    assert refusal(StoreRefused, lambda: call(store)) == (
        f"Kubernetes at 127.0.0.1:{standin.port} does not let service account {NAMESPACE}/tide "
        f"{verb} secrets {NAME} in namespace {NAMESPACE}. Bind it to a Role there with {rules}"
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(403, "Forbidden", f"exceeded quota: {MARKER}"), "a quota of namespace led is used"),
        (
            status(403, "Forbidden", f"{MARKER} because it is being terminated"),
            "namespace led is being removed",
        ),
        (status(403, "Forbidden", MARKER), "an admission policy stands against it"),
        (status(401, "Unauthorized", "Unauthorized"), "Log in again, or correct kubeconfig"),
        (status(422, "Invalid", MARKER, details={"causes": [{"field": "type"}]}), "type is not"),
        (status(422, "Invalid", MARKER), "it is not valid"),
        (status(400, "BadRequest", MARKER), "with status 400 (BadRequest)"),
        (Answer(404, b"404 page not found"), "is it an API server"),
        (Answer(200, MARKER.encode()), "is it an API server"),
        (Answer(200, {"kind": "Secret", "data": MARKER}), "is it an API server"),
        (
            Answer(
                200,
                {"kind": "Secret", "metadata": {"resourceVersion": "1"}, "data": {"a": "?"}},
            ),
            "is it an API server",
        ),
        (Answer(200, ["Secret"]), "is it an API server"),
        (Answer(302, b"", {"Location": f"https://{MARKER}/"}), "sends its callers on"),
        (Answer(307, b"", {"Location": f"https://localhost:1/{MARKER}"}), "sends its callers on"),
    ],
)
def test_every_other_no(
    standin: KubernetesStandin, store: KubernetesStore, answer: Answer, said: str
) -> None:
    held = store.create({"a": "1"}, {})
    standin.intercept = lambda request: None if request.path == "/readyz" else answer
    for call in (store.read, lambda: store.replace(held, {"a": SEALED}, {})):
        standin.requests.clear()
        assert said in refusal(StoreRefused, call)
        assert sum(request.path != "/readyz" for request in standin.requests) == 1


def test_one_that_has_just_been_started_and_knows_no_rights_yet(
    standin: KubernetesStandin, store: KubernetesStore
) -> None:
    held = store.create({"a": "1"}, {})
    no = status(403, "Forbidden", 'User "system:serviceaccount:led:tide" cannot get it')
    answers = iter([no, no, no, Answer(500, b"not ready")])
    standin.intercept = lambda request: next(answers, None)
    assert store.replace(held, {"a": "2"}, {}).data == {"a": "2"}
    methods = [request.method for request in standin.requests[1:]]
    assert methods == ["PUT", "GET", "PUT", "GET", "PUT"]


class Saying(KubernetesClient):
    """Gets one reply, whatever it asks."""

    def __init__(self, reply: Reply) -> None:
        self.name = "Kubernetes at home"
        self.namespace = NAMESPACE
        self._reply_to_all = reply

    def ask(self, *args: object, **kwargs: object) -> Reply:
        return self._reply_to_all


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, True, "", "Zm9v", [], ["x"], [{}], {}, {"a": None}, {"a": "Zm9v"}, {"a": {"b": []}}]
)
METADATA = st.fixed_dictionaries(
    {"resourceVersion": st.just("1") | ODD},
    optional=dict.fromkeys(("annotations", "labels", "managedFields", "ownerReferences"), ODD),
)
BODY = st.fixed_dictionaries(
    {"metadata": METADATA | ODD},
    optional={
        "details": st.fixed_dictionaries({"causes": ODD}) | ODD,
        "status": st.fixed_dictionaries({"token": ODD}) | ODD,
        **dict.fromkeys(("data", "binaryData", "reason", "message"), ODD),
    },
)


@given(BODY)
def test_whatever_it_answers(body: dict[str, Any]) -> None:
    """It is a Secret, or none, or refused: nothing breaks."""
    kinds = ("Secret", "ConfigMap", "Status", "TokenRequest")
    for code, kind in itertools.product((200, 403, 404, 409, 422), kinds):
        client = Saying(Reply(code, {**body, "kind": kind}))
        store = KubernetesStore(client, namespace=NAMESPACE, name=NAME)
        for call in (
            store.read,
            partial(store.create, {}, {}),
            partial(plain_contents, client, "Secret", namespace="", name=NAME),
            partial(plain_contents, client, "ConfigMap", namespace="", name=NAME),
            partial(request_token, client, account="a", namespace="n", audience="vault"),
        ):
            with contextlib.suppress(StoreRefused):
                call()


def test_a_namespace_that_is_not_there(
    standin: KubernetesStandin, client: KubernetesClient
) -> None:
    store = KubernetesStore(client, namespace="nowhere", name=NAME)
    assert store.read() is None
    said = refusal(StoreRefused, lambda: store.create({"a": SEALED}, {}))
    assert said.startswith(f"there is no namespace nowhere for Secret nowhere/{NAME}: make it")


# -------------------------------------------------------------------------------------- who is away


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_bad_moment(standin: KubernetesStandin, store: KubernetesStore, code: int) -> None:
    """What is read is asked for again; what is written only if it was turned away unseen."""
    held = store.create({"a": "1"}, {})
    answers: list[Answer] = []
    standin.intercept = lambda request: answers.pop() if answers else None
    answers.append(status(code, "Bad", MARKER))
    read = store.read()
    assert read is not None
    assert read.version == held.version
    answers.append(status(code, "Bad", MARKER))
    if code == 429:
        assert store.replace(held, {"a": "2"}, {}).data == {"a": "2"}
    else:
        said = refusal(StoreUnavailable, lambda: store.replace(held, {"a": SEALED}, {}))
        assert f"answers with status {code}: try again" in said
        assert store.read() == read


def test_a_bad_moment_that_does_not_end(standin: KubernetesStandin) -> None:
    standin.intercept = lambda request: status(503, "ServiceUnavailable", MARKER)
    with closing(standin.client(patience_s=1)) as client:
        store = KubernetesStore(client, namespace=NAMESPACE, name=NAME)
        assert refusal(StoreUnavailable, store.read).endswith(
            "answers with status 503: try again; if it stays so, its log, or kubectl get --raw "
            "/readyz, says why"
        )
    assert len(standin.requests) > 1


def test_it_waits_as_long_as_it_is_told_to(
    standin: KubernetesStandin, store: KubernetesStore
) -> None:
    """And not at all, if that is longer than anybody waits."""
    standin.intercept = lambda request: Answer(429, b"", {"Retry-After": "3600"})
    assert "status 429" in refusal(StoreUnavailable, store.read)
    assert len(standin.requests) == 1


def test_one_that_does_not_answer(
    standin: KubernetesStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(standin.client(patience_s=1)) as client:
        store = KubernetesStore(client, namespace=NAMESPACE, name=NAME)
        standin.intercept = lambda request: Answer(200, MARKER, after_s=60)
        began = time.monotonic()
        assert "does not answer in time" in refusal(StoreUnavailable, store.read)
        assert "does not answer in time" in refusal(
            StoreUnavailable, lambda: store.create({"a": SEALED}, {})
        )
        assert time.monotonic() - began < LIMIT_S
        assert sum(each.method == "POST" for each in standin.requests) == 1


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("part", ["head", "body"])
def test_a_reply_that_dribbles_is_not_waited_for(tmp_path: Path, part: str, tls: bool) -> None:
    """Though a byte comes each time within the limit."""
    with (
        KubernetesStandin(tmp_path, tls=tls) as standin,
        closing(standin.client(patience_s=0.3)) as client,
    ):
        standin.intercept = lambda request: Answer(200, {}, dribble=part)
        began = time.monotonic()
        store = KubernetesStore(client, namespace=NAMESPACE, name=NAME)
        assert "does not answer in time" in refusal(StoreUnavailable, store.read)
        assert time.monotonic() - began < LIMIT_S


def test_a_write_whose_reply_is_lost_is_not_repeated(
    standin: KubernetesStandin, store: KubernetesStore
) -> None:
    standin.intercept = lambda request: Answer(200, after_s=-0.01)
    assert "cannot be reached" in refusal(StoreUnavailable, lambda: store.create({"a": SEALED}, {}))
    assert len(standin.requests) == 1


def test_one_that_is_not_there(standin: KubernetesStandin, store: KubernetesStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    free = standin.kubeconfig(cluster={"server": f"https://127.0.0.1:{port}"})
    with closing(KubernetesClient(KubernetesSettings(kubeconfig=free), patience_s=0)) as client:
        gone = KubernetesStore(client, namespace=NAMESPACE, name=NAME)
        assert refusal(StoreUnavailable, gone.read) == (
            f"Kubernetes at 127.0.0.1:{port} cannot be reached: Connection refused; see whether it "
            "is up (kubectl get --raw /readyz), and whether kubeconfig and context in "
            "[secrets.kubernetes], or KUBECONFIG, name the right one"
        )


# ---------------------------------------------------------------------------------------------- TLS


def test_the_wrong_ca(
    tmp_path: Path, standin: KubernetesStandin, opened: Callable[..., KubernetesClient]
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").ca_file
    for settings in (
        standin.settings(ca_file=str(other)),
        standin.settings(ca_file=str(other), strict=False),
        KubernetesSettings(
            kubeconfig=standin.kubeconfig(cluster={"certificate-authority": str(other)})
        ),
    ):
        store = KubernetesStore(opened(settings), namespace=NAMESPACE, name=NAME)
        said = refusal(StoreRefused, lambda: store.create({"a": SEALED}, {}))  # noqa: B023  # at once
        assert "is not signed by a CA in" in said
        assert "set ca_file in [secrets.kubernetes]" in said
    assert standin.requests == []


def test_an_old_ca_of_microk8s(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    leaf = Authority(folder, key_usage=False).leaf("kube-apiserver")
    with KubernetesStandin(tmp_path, leaf=leaf) as standin:
        ca = str(leaf.ca_file)
        with closing(KubernetesClient(standin.settings(ca_file=ca))) as strict:
            store = KubernetesStore(strict, namespace=NAMESPACE, name=NAME)
            said = refusal(StoreRefused, store.read)
        assert f"the CA in {ca} has no keyUsage, as MicroK8s makes it: set strict = false" in said
        with closing(KubernetesClient(standin.settings(ca_file=ca, strict=False))) as loose:
            assert KubernetesStore(loose, namespace=NAMESPACE, name=NAME).read() is None


def test_the_context_is_ours_and_has_one_ca(client: KubernetesClient) -> None:
    """The package has no option for it, and urllib3 could add what it finds."""
    store = KubernetesStore(client, namespace=NAMESPACE, name=NAME)
    assert store.read() is None
    manager = client._connection.api.rest_client.pool_manager
    context = manager.connection_pool_kw["ssl_context"]
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    (pool,) = [manager.pools[key] for key in manager.pools.keys()]  # noqa: SIM118  # urllib3's own
    assert pool.conn_kw["ssl_context"] is context
    assert (pool.ca_certs, pool.ca_cert_dir, pool.cert_reqs) == (None, None, ssl.CERT_REQUIRED)


def test_a_client_certificate_in_the_kubeconfig_is_left_in_no_file(
    tmp_path: Path,
    standin: KubernetesStandin,
    opened: Callable[..., KubernetesClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = {
        "client-certificate-data": base64.b64encode(standin.leaf.certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(standin.leaf.key.read_bytes()).decode(),
    }
    ca = base64.b64encode(standin.leaf.ca_file.read_bytes()).decode()
    file = standin.kubeconfig(user=user, cluster={"certificate-authority-data": ca})
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr("framework.secrets.kubernetes.connection._MEMORY", memory)
    modes: list[str] = []
    load = ssl.SSLContext.load_cert_chain

    def look(context: ssl.SSLContext, cert: str, key: str, password: str) -> None:
        folder = Path(key).parent
        assert folder.parent == memory
        modes.extend(stat.filemode(each.stat().st_mode) for each in (folder, Path(key)))
        load(context, cert, key, password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", look)
    client = opened(KubernetesSettings(kubeconfig=file))
    assert modes == ["drwx------", "-rw-------"]
    assert list(memory.iterdir()) == []
    said = refusal(StoreRefused, KubernetesStore(client, namespace=NAMESPACE, name=NAME).read)
    assert "does not know who asks" in said  # by its certificate alone the stand-in knows nobody


# ------------------------------------------------------------------------------ who asks, and where


def test_proxies_of_the_environment_are_not_used(
    standin: KubernetesStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with closing(standin.client()) as client:
        assert KubernetesStore(client, namespace=NAMESPACE, name=NAME).read() is None


def test_kubectl_proxy(tmp_path: Path) -> None:
    """On this machine, and nowhere else, TLS may be somebody else's business."""
    with KubernetesStandin(tmp_path, tls=False) as standin, closing(standin.client()) as client:
        assert KubernetesStore(client, namespace=NAMESPACE, name=NAME).read() is None


@pytest.fixture
def account(tmp_path: Path, standin: KubernetesStandin) -> Path:
    """What kubelet mounts into a pod."""
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text(f"{GOOD}\n")
    (folder / "ca.crt").write_bytes(standin.leaf.ca_file.read_bytes())
    (folder / "namespace").write_text(NAMESPACE)
    return folder


def pod(standin: KubernetesStandin, account: Path) -> KubernetesSettings:
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(standin.port)}
    return KubernetesSettings(account=str(account), environ=environ)


@pytest.mark.usefixtures("asked_once")
def test_in_a_pod(
    standin: KubernetesStandin, account: Path, opened: Callable[..., KubernetesClient]
) -> None:
    client = opened(pod(standin, account))
    assert client.namespace == NAMESPACE
    store = KubernetesStore(client, namespace=NAMESPACE, name=NAME)
    assert store.read() is None
    standin.intercept = lambda request: Answer(200, after_s=-0.01)
    said = refusal(StoreUnavailable, store.read)
    assert said.endswith("and whether a NetworkPolicy keeps this pod from it")


@pytest.mark.parametrize(
    ("name", "content"), [("token", None), ("token", b""), ("ca.crt", b""), ("namespace", None)]
)
def test_a_pod_without_what_it_needs(
    standin: KubernetesStandin,
    account: Path,
    opened: Callable[..., KubernetesClient],
    name: str,
    content: bytes | None,
) -> None:
    (account / name).unlink()
    if content is not None:
        (account / name).write_bytes(content)
    said = refusal(ConfigError, lambda: opened(pod(standin, account)))
    assert said.startswith(f"{account} does not hold token, ca.crt and namespace")


@pytest.mark.parametrize("content", [f"{MARKER}\nx", f"{MARKER}\x7f", f"{MARKER} é"])
def test_a_token_that_cannot_be_one(
    standin: KubernetesStandin,
    account: Path,
    opened: Callable[..., KubernetesClient],
    content: str,
) -> None:
    """Python's own error would quote it."""
    (account / "token").write_text(content)
    store = KubernetesStore(opened(pod(standin, account)), namespace=NAMESPACE, name=NAME)
    assert "must be one line of ASCII letters" in refusal(StoreRefused, store.read)


def test_neither_a_pod_nor_a_kubeconfig(opened: Callable[..., KubernetesClient]) -> None:
    said = refusal(ConfigError, lambda: opened(KubernetesSettings()))
    assert said.startswith("there is no API server to ask: this is no pod")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cluster": {"insecure-skip-tls-verify": True}}, "says insecure-skip-tls-verify"),
        ({"cluster": {"server": "http://example.org"}}, "without TLS it must be on this machine"),
        ({"cluster": {"server": "http:127.0.0.1"}}, "without TLS it must be on this machine"),
        ({"cluster": {"server": None}}, "not all of it"),
        ({"cluster": {"certificate-authority": "/nowhere"}}, "not all of it"),
        ({"cluster": {"certificate-authority-data": MARKER}}, "not all of it"),
        ({"user": {}}, "for 127.0.0.1:{port}: its user has none"),
        (
            {"user": {"exec": {"command": "/nowhere", "apiVersion": "v1"}}},
            "the credential plugin of its user has failed. See whether kubectl get secrets works; "
            "the process that reads secrets has nothing of the environment but HOME and PATH, so",
        ),
        ({"user": {"exec": MARKER}}, "not all of it"),
        ({"user": {"auth-provider": {"name": "oidc", "config": {"x": MARKER}}}}, "auth-provider"),
        (
            {"user": {"client-certificate-data": "TUFSS0VS", "client-key-data": "eA=="}},
            "do not fit",
        ),
        ({"user": MARKER}, "not all of it"),
        ({"user": [MARKER]}, "gives no credentials"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(
    standin: KubernetesStandin,
    opened: Callable[..., KubernetesClient],
    changed: dict[str, Any],
    said: str,
) -> None:
    file = standin.kubeconfig(**changed)
    assert said.format(port=standin.port) in refusal(
        ConfigError, lambda: opened(KubernetesSettings(kubeconfig=file)), secrets=()
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not have current-context"),
        (f"[{MARKER}", "is not YAML"),
        (f"- {MARKER}", "does not have current-context"),
        (
            f"users: [{{name: {MARKER}, user: {{token: {MARKER}}}}}]",
            "does not have current-context",
        ),
        (f"users: [{{user: {{token: {MARKER}}}}}]\ncurrent-context: x", "does not have"),
    ],
)
def test_what_is_no_kubeconfig(
    tmp_path: Path, opened: Callable[..., KubernetesClient], text: str, said: str
) -> None:
    """The package's own messages would quote it."""
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    assert said in refusal(ConfigError, lambda: opened(KubernetesSettings(kubeconfig=str(file))))
    missing = KubernetesSettings(kubeconfig=f"{tmp_path}/no:{tmp_path}/neither")
    assert "there is no kubeconfig" in refusal(ConfigError, lambda: opened(missing))


def test_a_context_that_is_not_there(
    standin: KubernetesStandin, opened: Callable[..., KubernetesClient]
) -> None:
    said = refusal(ConfigError, lambda: opened(standin.settings(context="other")), secrets=())
    assert 'does not have the context "other"' in said


def test_a_credential_plugin(
    tmp_path: Path, standin: KubernetesStandin, opened: Callable[..., KubernetesClient]
) -> None:
    """It gets what it needs of the environment; that of this process stays as it is."""
    plugin = tmp_path / "plugin"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": GOOD},
    }
    plugin.write_text(
        f"#!/bin/sh\ntest \"$HOME$OWN\" = /home/me/own && echo '{json.dumps(credential)}'"
    )
    plugin.chmod(0o700)
    own = [{"name": "OWN", "value": "/own"}]
    user = {"exec": {"command": "plugin", "apiVersion": credential["apiVersion"], "env": own}}
    before = dict(os.environ)
    environ = {"HOME": "/home/me", "PATH": f"{tmp_path}:{before['PATH']}"}
    settings = KubernetesSettings(kubeconfig=standin.kubeconfig(user=user), environ=environ)
    assert KubernetesStore(opened(settings), namespace=NAMESPACE, name=NAME).read() is None
    assert dict(os.environ) == before


# ---------------------------------------------------------------- plain objects, tokens, and owners


def test_plain_objects(standin: KubernetesStandin, client: KubernetesClient) -> None:
    standin.put("configmaps", "c", data={"a": "é"}, binaryData=encoded({"b": b"\xff"}))
    standin.put("secrets", "s", data=encoded({"c": b"\xfe"}))
    standin.put("secrets", "empty")
    found = plain_contents(client, "ConfigMap", namespace=NAMESPACE, name="c")
    assert found == {"a": "é".encode(), "b": b"\xff"}
    assert plain_contents(client, "Secret", namespace="", name="s") == {"c": b"\xfe"}
    assert plain_contents(client, "Secret", namespace="", name="empty") == {}


@pytest.mark.usefixtures("asked_once")
def test_plain_objects_that_are_refused(
    standin: KubernetesStandin, client: KubernetesClient
) -> None:
    def read() -> object:
        return plain_contents(client, "ConfigMap", namespace="", name="c")

    assert f"there is no ConfigMap {NAMESPACE}/c" in refusal(StoreRefused, read)
    standin.forbidden.add(("get", "configmaps"))
    assert "resources: [configmaps], resourceNames: [c], verbs: [get]" in refusal(
        StoreRefused, read
    )
    standin.intercept = lambda request: Answer(200, {"kind": "Secret", "data": {"a": MARKER}})
    assert "is it an API server" in refusal(StoreRefused, read)
    standin.intercept = lambda request: Answer(503, MARKER)
    assert "status 503" in refusal(StoreUnavailable, read)


@pytest.mark.usefixtures("asked_once")
def test_a_token_is_asked_for(standin: KubernetesStandin, client: KubernetesClient) -> None:
    def ask(account: str = "tide") -> str:
        return request_token(client, account=account, namespace=NAMESPACE, audience="vault")

    assert ask() == JWT
    assert standin.requests[-1].body["spec"] == {"audiences": ["vault"], "expirationSeconds": 600}
    assert "there is no service account led/moon" in refusal(StoreRefused, lambda: ask("moon"))
    standin.forbidden.add(("create", "serviceaccounts/token"))
    said = refusal(StoreRefused, ask)
    assert "resources: [serviceaccounts/token], resourceNames: [tide], verbs: [create]" in said
    standin.intercept = lambda request: Answer(201, {"status": {"token": f"{MARKER}\n"}})
    assert "is it an API server" in refusal(StoreRefused, ask)
    standin.intercept = lambda request: Answer(500, {})
    assert "status 500" in refusal(StoreUnavailable, ask)


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({}, None),
        ({"labels": None, "annotations": None, "managedFields": None}, None),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux"),
        ({"labels": {"argocd.argoproj.io/instance": "x"}}, "Argo CD"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD"),
        ({"annotations": {"meta.helm.sh/release-name": "x"}}, "Helm"),
        ({"annotations": {LAST_APPLIED: MARKER}}, "kubectl apply"),
        (
            {"ownerReferences": [{"kind": "ExternalSecret", "name": "x", "controller": True}]},
            "ExternalSecret x",
        ),
        ({"ownerReferences": [{"kind": "Deployment", "name": "x"}]}, None),
    ],
)
def test_who_leaves_marks(metadata: dict[str, Any], owner: str | None) -> None:
    assert owner_of(metadata) == owner


@pytest.mark.parametrize(
    ("manager", "operation", "fields", "owns"),
    [
        ("kustomize-controller", "Apply", {"f:data": {}}, True),
        ("argocd-controller", "Update", {"f:data": {}}, True),
        ("somebody", "Apply", {"f:data": {}}, True),
        ("somebody", "Apply", {"f:stringData": {}}, True),
        ("somebody", "Apply", {"f:metadata": {}}, False),
        ("kubectl-edit", "Update", {"f:data": {}}, False),
        ("matrix", "Update", {"f:data": {}}, False),
        ("matrix", "Apply", {"f:data": {}}, False),
    ],
)
def test_who_manages_fields(manager: str, operation: str, fields: Any, owns: bool) -> None:
    entry = {"manager": manager, "operation": operation, "fieldsV1": fields}
    expected = f'the field manager "{manager}"' if owns else None
    assert owner_of({"managedFields": [entry]}) == expected


# -------------------------------------------------------------------------- encryptors and rotators


def test_encrypting_strips_what_kubectl_kept(
    standin: KubernetesStandin, store: KubernetesStore
) -> None:
    standin.put(
        "secrets",
        NAME,
        data=encoded({"secrets.json": MARKER, "other": b"\xff"}),
        metadata={"annotations": {LAST_APPLIED: MARKER, "kept": "yes"}, "labels": {"a": "b"}},
    )
    transit = MemoryTransit()
    change = Encryptor(transit, store, PLACE).document("secrets.json", b"{}")
    assert (change.overwritten, change.added) == (("secrets.json",), ())
    kept, others = change.warnings
    assert LAST_APPLIED in kept
    assert "has other in plaintext" in others
    after = standin.secret(NAME)
    assert MARKER not in json.dumps(after)
    assert base64.b64encode(MARKER.encode()).decode() not in json.dumps(after)
    assert set(after["metadata"]["annotations"]) == {
        "kept",
        SEALED_FOR,
        edit_annotation("secrets.json"),
    }
    assert after["metadata"]["labels"] == {"a": "b"}
    assert after["data"]["other"] == encoded({"x": b"\xff"})["x"]


def test_an_encryptor_whose_replies_are_lost(
    standin: KubernetesStandin, store: KubernetesStore
) -> None:
    """It was stored: what is there is found to be one's own."""
    lost: list[Request] = []

    def lose(request: Request) -> Answer | None:
        if request.method == "GET" or lost:
            return None
        lost.append(request)
        standin.intercept = lambda request: None
        standin.answer(request)
        standin.intercept = lose
        return Answer(200, after_s=-0.01)

    standin.intercept = lose
    Encryptor(MemoryTransit(), store, PLACE).document("secrets.json", b"{}")
    assert [each.split()[0] for each in standin.asked()] == ["GET", "POST", "POST", "GET"]


def test_a_rotation_meets_other_writers(standin: KubernetesStandin, store: KubernetesStore) -> None:
    """Somebody labels it each time before it can be written: then it is tried again, and ends."""
    transit = MemoryTransit()
    Encryptor(transit, store, PLACE).document("secrets.json", b"{}")
    transit.rotate()
    times = [2]

    def meddle(request: Request) -> Answer | None:
        if request.method == "PUT" and times[0]:
            times[0] -= 1
            standin.put("secrets", NAME, metadata={"labels": {"n": str(times[0])}})
        return None

    standin.intercept = meddle
    assert rotate(transit, [Entry(PLACE, store)]).outcome is Outcome.DONE
    assert standin.secret(NAME)["metadata"]["labels"] == {"n": "0"}
    times[0] = 1000
    transit.rotate()
    assert rotate(transit, [Entry(PLACE, store)]).outcome is Outcome.FAILED


@pytest.mark.usefixtures("asked_once")
def test_that_nobody_can_be_looked_up_is_no_news(
    standin: KubernetesStandin, opened: Callable[..., KubernetesClient]
) -> None:
    file = standin.kubeconfig(cluster={"server": "https://nobody.invalid"})
    client = opened(KubernetesSettings(kubeconfig=file))
    said = refusal(StoreUnavailable, KubernetesStore(client, namespace=NAMESPACE, name=NAME).read)
    assert said.startswith("Kubernetes at nobody.invalid cannot be reached: ")
