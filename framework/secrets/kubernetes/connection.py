"""Where the API server is, and as whom it is asked: a pod's service account, or a kubeconfig.

Read by the ``kubernetes`` package, but for what it does not do as carefully as secrets need: TLS is
our own, keys are not left in files, and nothing is quoted from a kubeconfig, which holds
credentials.

Of that package ``config`` and ``ApiClient`` alone are used. Its generated models, which its
``CoreV1Api`` loads all of, take more time and memory than everything else here together.
"""

from __future__ import annotations

import re
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, incluster_config, kube_config

from framework.errors import ConfigError
from framework.hosts import is_loopback
from framework.secrets import transport
from framework.secrets.kubernetes.settings import FOR_PLUGINS, IN_POD, KubernetesSettings
from framework.secrets.store import StoreRefused, StoreUnavailable
from framework.secrets.tls import client_context

TABLE = "[secrets.kubernetes]"
BEARER = "BearerToken"
_POD: Any = incluster_config  # the package has no types there
_FILES: Any = kube_config
_CREDENTIAL = re.compile(r"[A-Za-z]+ [!-~]{1,65536}")
_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it

Failure = StoreRefused | StoreUnavailable


@dataclass(frozen=True, slots=True)
class Connection:
    """To one API server, as somebody."""

    api: Any = field(repr=False)
    """The package's ``ApiClient``."""
    server: str
    """Its URL."""
    namespace: str
    """Where one is, unless another is named."""
    ca_file: str
    """What to call the CA in messages: the file that it is in."""

    def close(self) -> None:
        transport.close(self.api.rest_client.pool_manager)
        self.api.close()

    def authorization(self) -> str | Failure:
        """What the header says, read afresh where it changes; empty for a client certificate.

        Returned and not raised, as everything here that a frame with a credential could be kept by.
        """
        try:
            value = self.api.configuration.get_api_key_with_prefix(BEARER) or ""
        except OSError as error:
            return StoreUnavailable(f"the token of the service account is gone: {error.strerror}")
        except (ConfigException, UnicodeDecodeError):
            return StoreUnavailable("the token of the service account is empty, or no token")
        value = value.strip()
        if value and not _CREDENTIAL.fullmatch(value):
            return StoreRefused(
                f"the token for {self.server} is none: it must be one line of ASCII letters"
            )
        return str(value)


def connect(settings: KubernetesSettings) -> Connection:
    """The one that ``settings`` name; nothing is sent yet. A credential plugin may run for it.

    :raises ConfigError: it cannot be used.
    """
    outcome = _from_kubeconfig(settings) if settings.kubeconfig else _from_pod(settings)
    if isinstance(outcome, ConfigError):
        raise outcome
    return outcome


def _from_pod(settings: KubernetesSettings) -> Connection | ConfigError:
    configuration = _configuration()
    folder = Path(settings.account)
    if not all(name in settings.environ for name in IN_POD):
        return ConfigError(
            "there is no API server to ask: this is no pod, and there is no kubeconfig. Set "
            f"kubeconfig in {TABLE}, or KUBECONFIG"
        )
    try:
        _POD.InClusterConfigLoader(
            token_filename=str(folder / "token"),
            cert_filename=str(folder / "ca.crt"),
            environ=settings.environ,
        ).load_and_set(configuration)
        namespace = (folder / "namespace").read_text().strip()
    except (OSError, UnicodeDecodeError, ConfigException):
        return ConfigError(
            f"{folder} does not hold token, ca.crt and namespace: let the pod have "
            "automountServiceAccountToken, or project them to there"
        )
    ca = settings.ca_file or str(folder / "ca.crt")
    context = client_context(ca, strict=settings.strict, settings=TABLE)
    return Connection(_api(configuration, context), configuration.host, namespace, ca)


def _from_kubeconfig(settings: KubernetesSettings) -> Connection | ConfigError:
    try:
        return _loaded(settings)
    except ConfigError as error:
        return ConfigError(str(error))
    except yaml.YAMLError:
        reason = "is not YAML"
    except ssl.SSLError:
        reason = "names a client certificate and a key that do not fit, or are encrypted"
    except OSError as error:
        reason = f"cannot be read, or a file that it names: {error.strerror}"
    except (ConfigException, TypeError, KeyError, AttributeError, ValueError):
        # Its message may quote the whole entry of a user, with all credentials.
        named = f'the context "{settings.context}"' if settings.context else "current-context"
        reason = (
            f"does not have {named}, or not the cluster and the user of that context, or not all "
            "of it"
        )
    return ConfigError(
        f"{settings.kubeconfig} {reason}: see what kubectl config view says, or set kubeconfig and "
        f"context in {TABLE}"
    )


def _loaded(settings: KubernetesSettings) -> Connection | ConfigError:
    where = settings.kubeconfig
    if not any(Path(each).exists() for each in where.split(":")):
        return ConfigError(f"there is no kubeconfig {where}: set kubeconfig in {TABLE}")
    configuration = _configuration()
    # It writes keys that are in the kubeconfig to files, because OpenSSL reads them from nowhere
    # else: in memory, in a folder that only this user can open, until they are read.
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        files = _FILES.KubeConfigMerger(where)
        loader = _FILES.KubeConfigLoader(
            files.config,
            active_context=settings.context or None,
            config_base_path=None,
            temp_file_path=folder,
        )
        context = loader.current_context["context"]
        user = _user(files.config.value, context.get("user"))
        if "auth-provider" in user:
            return ConfigError(
                f"{where} names an auth-provider, which kubectl has given up: let its user have a "
                "credential plugin (exec)"
            )
        if "exec" in user:
            # The child has no environment: the plugin has to be found, and its own files by it.
            known = settings.environ
            told = [{"name": each, "value": known[each]} for each in FOR_PLUGINS if each in known]
            user["exec"]["env"] = [*told, *(user["exec"].get("env") or ())]
        loader.load_and_set(configuration)
        refusal = _unsafe(where, configuration, has_plugin="exec" in user)
        if refusal is not None:
            return refusal
        tls = client_context(
            settings.ca_file or configuration.ssl_ca_cert or "",
            strict=settings.strict,
            settings=TABLE,
        )
        if configuration.cert_file:
            # Without a password OpenSSL would ask for one on the terminal.
            tls.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    namespace = context.get("namespace") or "default"
    return Connection(
        _api(configuration, tls), configuration.host, namespace, settings.ca_file or where
    )


def _user(kubeconfig: Any, name: object) -> Any:
    """What the kubeconfig has about the user of that name."""
    entries = [getattr(each, "value", each) for each in kubeconfig.get("users") or []]
    found = [each.get("user") for each in entries if each["name"] == name]
    return (found[0] if found else None) or {}


def _unsafe(where: str, configuration: Any, *, has_plugin: bool) -> ConfigError | None:
    """What a kubeconfig may say and we do not do."""
    parts = urlsplit(configuration.host)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        return ConfigError(
            f"{where} names a server without https://: without TLS it must be on this machine "
            "(kubectl proxy)"
        )
    if not configuration.verify_ssl:
        return ConfigError(
            f"{where} says insecure-skip-tls-verify, with which anybody could answer: let it have "
            f"certificate-authority, or set ca_file in {TABLE}; strict = false there is for a CA "
            "that is not as RFC 5280 has it"
        )
    anonymous = BEARER not in configuration.api_key and not configuration.cert_file
    if anonymous and parts.scheme == "https":
        why = "its user has none"
        if has_plugin:
            why = (
                "the credential plugin of its user has failed. See whether kubectl get secrets "
                "works; the process that reads secrets has nothing of the environment but "
                f"{' and '.join(FOR_PLUGINS)}, so what else the plugin needs must be in env under "
                "exec of that user"
            )
        return ConfigError(f"{where} gives no credentials for {parts.netloc}: {why}")
    return None


def _configuration() -> Any:
    configuration = Configuration()
    # Not those of the environment, which it looks for by itself.
    configuration.proxy = configuration.no_proxy = None
    configuration.retries = False  # neither does it repeat anything then, nor follow a redirect
    return configuration


def _api(configuration: Any, context: ssl.SSLContext) -> Any:
    # The context has the CA and the client's certificate; these would be read once more.
    configuration.ssl_ca_cert = configuration.cert_file = configuration.key_file = None
    api = ApiClient(configuration)
    api.user_agent = "matrix-framework"
    # The package has no option for it; tests/secrets/test_kubernetes.py sees that it works.
    transport.prepare(api.rest_client.pool_manager, context)
    return api
