"""Stop being root, for good."""

from __future__ import annotations

import os
import pwd

from framework.errors import ConfigError


def account(name: str) -> pwd.struct_passwd:
    """Who that is.

    :raises ConfigError: nobody, or root.
    """
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        reason = "there is no such user"
    else:
        if found.pw_uid != 0:
            return found
        reason = "that is root again"
    raise ConfigError(
        f"[panel] user of matrix.toml: {reason}. Name an ordinary one, or make it: "
        f"useradd --system --no-create-home {name if name != 'root' else 'matrix-panel'}"
    )


def drop_to(user: pwd.struct_passwd) -> None:
    """Become that user, with the groups that it is in.

    :raises OSError: the system does not let it.
    """
    os.initgroups(user.pw_name, user.pw_gid)
    # All three of each: one that stayed root would be a way back.
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
