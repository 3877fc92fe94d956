"""What may be sent as a header of HTTP. Opens nothing."""

from __future__ import annotations

import re

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"([!-~]([ -~\t]*[!-~])?)?")
_OF_THE_REQUEST = ("content-length", "host", "transfer-encoding")


def is_value(text: str) -> bool:
    return _VALUE.fullmatch(text) is not None


def problem_with(name: object, value: object) -> str | None:
    """Why the two cannot be sent as a header, without the value; None: they can."""
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        return "the name of a header cannot be sent: letters, digits and - will do"
    if name.lower() in _OF_THE_REQUEST:
        return f"the header {name} follows from the request itself: leave it out"
    if not isinstance(value, str):
        return f"the value of the header {name} must be a text, not {type(value).__name__}"
    if not is_value(value):
        return (
            f"the value of the header {name} cannot be sent: it must be printable ASCII, "
            f"without a space or a line end before or after it"
        )
    return None
