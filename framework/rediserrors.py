"""What goes wrong between us and Redis, in words: what happened, and what to do about it.

Pure: who asked says what for, where, and that it failed.
"""

from __future__ import annotations

import socket
import ssl

_ACL = (
    "its ACL does not allow that; a service needs ~matrix:{NAME}:state &matrix:{NAME} +time +hmget "
    "+hset +publish +eval +evalsha, a display %R~matrix:* &matrix:* +time +hmget +subscribe, and "
    "+select if redis_url names a database other than 0"
)
_REFUSALS = (
    ("NOAUTH", "it wants a password; set one in redis_url"),
    ("WRONGPASS", "it does not accept the user and password; correct them in redis_url"),
    ("NOPERM", _ACL),
    ("ACL failure in script", _ACL),
    ("The user executing the script", _ACL),  # Redis 7.0
    ("OOM", "it is full; raise its maxmemory, or delete what is not needed"),
    ("READONLY", "it is a read-only replica; set redis_url to the primary"),
    ("LOADING", "it is still loading its data; wait"),
    ("MISCONF", "it cannot write to its disk and therefore takes nothing; see its log"),
    ("MOVED", "it is part of a cluster, which is not supported; set redis_url to a single server"),
    ("WRONGTYPE", "what lies there is not ours; delete that key"),
    ("Error compiling script", "it is too old; needs Redis 7 or Valkey"),  # Redis 6 at `#!lua`
)
_FAILURES = (
    (ConnectionRefusedError, "nothing listens there; start the server, or correct redis_url"),
    (socket.gaierror, "the host is not known; correct redis_url, or the name server"),
    (
        ssl.SSLCertVerificationError,
        "its certificate is not trusted for that host; name its CA: rediss://...?ssl_ca_certs=FILE",
    ),
    (ssl.SSLError, "it does not speak TLS there as we do; correct scheme or port of redis_url"),
    (FileNotFoundError, "a file that redis_url names is not there"),
    (TimeoutError, "no answer in time; it is frozen, overloaded or out of reach"),
)


def explain(error: Exception) -> str:
    """One sentence, of our own words: the server's may name the user, or quote."""
    from redis.exceptions import InvalidResponse, ResponseError

    said = str(error)
    code = getattr(error, "status_code", None) or said.split(" ")[0]
    for mark, sentence in _REFUSALS:
        if code == mark or said.startswith(mark):
            return sentence
    if isinstance(error, ResponseError):
        return f"it refuses ({code if code.isupper() else 'ERR'}); see its log"
    if isinstance(error, InvalidResponse):
        return "what answers there is no Redis; correct redis_url"
    for kind, sentence in _FAILURES:
        if isinstance(error, kind) or isinstance(error.__context__, kind):
            return sentence
    return "the connection was lost; look whether the server runs"
