"""How a rotation is told: as a table, as lines of JSON, and in a sentence. No I/O of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from textwrap import wrap

from framework.secrets.plan import Settings
from framework.secrets.rotator import Action, Outcome, Record, Result
from framework.secrets.transit import TransitKey
from framework.tools.sealed import printable

FLOOR = "min_decryption_version"
HEAD = ("secret", "data key", "version", "")


@dataclass(frozen=True, slots=True)
class Rotation:
    """What one run did, or, if it was a dry run, would do."""

    result: Result
    _: KW_ONLY
    settings: Settings
    names: Mapping[str, str]
    """What the user calls a Secret, by what its Store calls it."""
    where: tuple[str, str] | None = None
    """Cluster and namespace, where several are told of."""
    dry_run: bool
    recover: bool

    # ------------------------------------------------------------------------------ for machines

    def json_lines(self) -> Iterator[str]:
        """One for each data key, and one for the run, which alone has an ``outcome``."""
        for record in self.result.records:
            yield json.dumps(
                {
                    **self._where,
                    "secret": self._name(record),
                    "data_key": record.data_key,
                    "before": record.before,
                    "after": self._after(record),
                    "action": record.action.value,
                    "reason": record.reason,
                }
            )
        yield json.dumps(
            {
                **self._where,
                "outcome": self.result.outcome.value,
                "dry_run": self.dry_run,
                "rotated": self.result.rotated,
                "key_version": self._newest,
                FLOOR: self._floor,
                "reasons": self.result.reasons,
                "summary": self.summary,
            }
        )

    # --------------------------------------------------------------------------------- for humans

    def table(self, width: int) -> Iterator[str]:
        """Lines for a terminal that is so wide: data keys, what is in the way, the summary."""
        records = self.result.records
        if self.where is not None:
            yield printable("/".join(self.where))
        rows = [HEAD, *map(self._row, records)] if records else []
        sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row, reason in zip(rows, ["", *(each.reason for each in records)], strict=False):
            cells = (cell.ljust(size) for cell, size in zip(row, sizes, strict=True))
            yield "  ".join(cells).rstrip()
            yield from _wrapped(reason, width, indent="    ")
        if rows:
            yield ""
        for reason in self.result.reasons:
            yield from _wrapped(reason, width)
        yield from _wrapped(self.summary, width)

    @property
    def summary(self) -> str:
        """All of it in a sentence."""
        outcome = self.result.outcome
        if outcome is Outcome.NOTHING:
            said = self._nothing()
        elif self.dry_run:
            said = f"would {', '.join(self.steps) or 'change nothing'}"
        elif self.result.unknown:
            unknown = f"it is not known {self.result.unknown}: the next run sees, and goes on"
            said = ", ".join([*self.steps, unknown])
        else:
            said = ", ".join(self.steps) or "nothing was changed"
        if outcome in (Outcome.BLOCKED, Outcome.FAILED):
            said = f"{outcome.value}: {said}"
        return "; ".join([said, *self._left(), *self._about_floor()])

    @property
    def steps(self) -> list[str]:
        """What was done: "rotated the key to v3"; in a dry run "rotate the key to v3"."""
        steps = []
        floor = f"{FLOOR} to {self.result.floor}" if self.result.floor is not None else ""
        if floor and self.recover:
            steps.append(self._verb("lower", "lowered", floor))
        if self.result.rotated:
            steps.append(self._verb("rotate", "rotated", f"the key to v{self._newest}"))
        if count := self._count(Action.DUE if self.dry_run else Action.REWRAPPED):
            to = "" if self.result.rotated else f" to v{self._newest}"
            steps.append(self._verb("rewrap", "rewrapped", _data_keys(count) + to))
        if floor and not self.recover:
            steps.append(self._verb("raise", "raised", floor))
        return steps

    def _verb(self, infinitive: str, past: str, what: str) -> str:
        return f"{infinitive if self.dry_run else past} {what}"

    def _left(self) -> Iterator[str]:
        """What was not done."""
        actions = [Action.BLOCKED, Action.FAILED] + ([] if self.dry_run else [Action.DUE])
        for action in actions:
            if count := self._count(action):
                yield f"{count} {_WORDS[action]}"

    def _nothing(self) -> str:
        said = f"nothing to do: {_data_keys(len(self.result.records))} at v{self._newest}"
        if self.recover:
            return said
        return f"{said}, and that is not more than {_hours(self.settings.min_age)} old"

    def _about_floor(self) -> Iterator[str]:
        retire = self.settings.retire
        if self.result.unknown:
            return
        if self.result.floor is None and self.result.key is not None:
            why = self._why_not_raised(self.result.key) if retire else "retire = false"
            yield f"{FLOOR} stays {self.result.key.min_decryption_version}{why and f' ({why})'}"
        elif self.recover:
            yield "a later run raises it again" if retire else "it stays there (retire = false)"

    def _why_not_raised(self, key: TransitKey) -> str:
        """Empty: because nothing is older than what is stored."""
        floor = key.min_decryption_version
        lowest = min((each.before for each in self.result.records if each.before), default=floor)
        if self.recover:
            return "only a run without --recover raises it"
        if self.result.outcome in (Outcome.BLOCKED, Outcome.FAILED):
            return "until a run does all of it"
        if lowest > floor:
            return f"v{floor + 1} is not {_hours(self.settings.grace)} old yet"
        in_use = self._newest is not None and lowest < self._newest
        return f"v{lowest} was in use when this run began" if in_use else ""

    # ----------------------------------------------------------------------------------- its parts

    @property
    def _where(self) -> dict[str, str]:
        return dict(zip(("cluster", "namespace"), self.where or (), strict=False))

    @property
    def _newest(self) -> int | None:
        """The newest key version, of those to be too."""
        newest = self.result.newest
        return newest + 1 if newest and self.dry_run and self.result.rotated else newest

    @property
    def _floor(self) -> int | None:
        if self.result.floor is not None or self.result.key is None:
            return self.result.floor
        return self.result.key.min_decryption_version

    def _row(self, record: Record) -> tuple[str, str, str, str]:
        before, after = record.before, self._after(record)
        versions = " -> ".join(f"v{each}" for each in dict.fromkeys((before, after)) if each)
        due = self.dry_run and record.action is Action.DUE
        done = "to be rewrapped" if due else _WORDS[record.action]
        data_key = record.data_key or "(all)"
        return printable(self._name(record)), printable(data_key), versions or "-", done

    def _after(self, record: Record) -> int | None:
        due = self.dry_run and record.action is Action.DUE
        return self._newest if due else record.after

    def _name(self, record: Record) -> str:
        return self.names.get(record.secret, record.secret)

    def _count(self, action: Action) -> int:
        return sum(record.action is action for record in self.result.records)


_WORDS = {
    Action.REWRAPPED: "rewrapped",
    Action.DUE: "still due",
    Action.CURRENT: "up to date",
    Action.KEPT: "kept as it is",
    Action.BLOCKED: "blocked",
    Action.FAILED: "failed",
}


def _data_keys(count: int) -> str:
    return "1 data key" if count == 1 else f"{count} data keys"


def _hours(duration: timedelta) -> str:
    return f"{duration / timedelta(hours=1):g} h"


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return wrap(
        printable(text),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,  # paths and commands are to be copied
        break_on_hyphens=False,
    )
