"""``Reply``: what a server answered, and reading it without trusting it.

Whatever is said of a reply shows its host and the names in it, on one line of bounded length; how
it was asked for is left to ``http``.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from framework.errors import Unavailable
from framework.oneline import one_line

M = TypeVar("M", bound=BaseModel)

SHOWN_PROBLEMS = 3
LONGEST_NAME = 80
LONGEST_PROBLEM = 120

_NO_CHARSETS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
"""Python's own, and nobody's who sends text: the second takes hours for what is made to hurt it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered, with a status of success."""

    host: str
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    is_new: bool = True
    """False: the server was not asked, or says that what it said before still holds."""
    forget: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)
    """Called when it cannot be read, so that the next fetch asks for another one."""

    @property
    def text(self) -> str:
        """In the charset that the server declares, or else in UTF-8.

        :raises Unavailable: it is not.
        """
        with suppress(UnicodeError):
            return self._decoded()
        raise self._not(f"text in {self._charset.removesuffix('-sig').upper()}")

    def json(self) -> Any:
        """:raises Unavailable: it is no JSON."""
        with suppress(ValueError, RecursionError):
            return json.loads(self._decoded())
        raise self._not("JSON")

    def model(self, model: type[M]) -> M:
        """Validated.

        :raises Unavailable: it is not what ``model`` says, and the fields are named. The last good
            values stay.
        """
        try:
            return model.model_validate_json(self._decoded())
        except UnicodeError:
            problems = []
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
        if not problems or any(each["type"] == "json_invalid" for each in problems):
            raise self._not("JSON")
        named = [
            f"{one_line('.'.join(map(str, each['loc'])), longest=LONGEST_NAME) or 'the whole'}: "
            f"{one_line(each['msg'], longest=LONGEST_PROBLEM)}"
            for each in problems[:SHOWN_PROBLEMS]
        ]
        if more := len(problems) - len(named):
            named.append(f"and {more} more")
        self.forget()
        raise Unavailable(f"{self.host} answers in another shape: {'; '.join(named)}")

    def _decoded(self) -> str:
        return self.content.decode(self._charset)

    @property
    def _charset(self) -> str:
        header = Message()
        header["content-type"] = self.headers.get("content-type", "")
        declared, charset = header.get_content_charset("utf-8"), "utf-8"
        with suppress(LookupError, ValueError):
            " ".encode(declared)  # that it is of text: a lookup finds zip and rot13 as well
            if (known := codecs.lookup(declared).name) not in _NO_CHARSETS:
                charset = known
        return "utf-8-sig" if charset == "utf-8" else charset

    def _not(self, wanted: str) -> Unavailable:
        self.forget()
        return Unavailable(f"{self.host} answers with something that is not {wanted}")
