"""``matrix demo``: everything on this machine: an embedded server, services, pages, a web page."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from framework import targets
from framework.bus import Bus
from framework.embedded import EmbeddedServer
from framework.errors import BusUnavailable
from framework.extras import needed_by
from framework.folding import fold
from framework.process import EXIT_FAILED, configure_logging, exit_status
from framework.project import PageEntry, Project, ServiceEntry
from framework.redisbus import open_bus
from framework.secrets.encryptor import Encryptor
from framework.secrets.settings import SecretsSettings
from framework.targets import resolve
from framework.tools.instances import PAGE, SERVICE, Instances, ShownPage, make_instances, name_of
from framework.tools.options import LogLevelOption, PortOption, SizeOption, parse_size
from framework.vitals import PanelVitals, Vitals
from framework.watching import watched

if TYPE_CHECKING:
    from framework.panel.sinks import Sink

SERVICES = tuple(ServiceEntry(use=each) for each in ("moon", "weather", "airquality", "system"))
PAGES = tuple(PageEntry(use=each) for each in ("moon", "clock", "weather", "system", "feeds"))
"""What there is when matrix.toml says nothing."""
SEALED = "demo.sealed"
"""Where in the state folder the configuration lies, if matrix.toml names no secrets."""
KEYRING = "demo.keyring"
"""What it is sealed with: the user's own keyring is made, and announced, by matrix encrypt."""
LOOK_S = 0.5
"""How often to look whether the server still runs."""
MOST_ENDS, WITHIN_S = 3, 60.0
"""A server that ended so often in that time would go on ending."""
UNDECLARED = "unused.token"
"""What is in it for nobody, to show that nobody gets it."""


def demo(
    snapshot: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="No browser: wait until each page has drawn from live data, write one PNG a page "
            "and a contact sheet to DIR, and exit; with 1 if a page got no data in time.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="How many seconds --snapshot waits for data.")
    ] = 30.0,
    size: SizeOption = None,
    port: PortOption = None,
    log_level: LogLevelOption = "warning",
) -> None:
    """Run everything on this machine, until Ctrl-C.

    That is an embedded Valkey server, the services and pages of matrix.toml, and a web page that
    shows the panel live.

    If no [[service]] is in the file, these run: moon, weather, airquality and system; but only what
    its pages follow, if it has a [[page]]. If no [[page]] is in it, these are shown: moon, clock,
    weather, system and feeds; but none that waits for another service, if it has a [[service]].
    """
    configure_logging(log_level)
    with needed_by("matrix demo", "demo"):  # before anything is started
        from framework.panel.panelsink import leds_of

    project = Project.find(os.environ, Path.cwd())
    width, height = parse_size(size, (project.panel.width, project.panel.height))
    server = EmbeddedServer(project.make_state())
    with server as url:
        kept = []
        if not SecretsSettings.of(project).sources:
            project = with_secrets(project, url)
            kept.append(f"nobody kept {UNDECLARED}, which no class declares")
        made = make_instances(project, *chosen(project))
        leds, panel = leds_of(project), PanelVitals()
        vitals: list[Vitals] = [one.vitals for one in made.services]
        if snapshot is None:
            vitals.append(panel)

        async def everything() -> int:
            bus = open_bus(url)
            try:
                async with asyncio.TaskGroup() as tasks:
                    serving = [tasks.create_task(one.serve(bus)) for one in made.services]
                    serving.append(tasks.create_task(_kept_running(server)))
                    if snapshot is None:
                        said = [*_kept(project, made), *kept]
                        await _live(made, said, bus, width, height, port, leds(bus.time), panel)
                    status = await _pictures(made.pages, bus, width, height, snapshot, timeout)
                    for service in serving:
                        service.cancel()
            finally:
                await bus.close()
            return status

        status = exit_status(lambda: watched(everything, vitals))
    sys.exit(status)


def chosen(project: Project) -> tuple[Sequence[ServiceEntry], Sequence[PageEntry]]:
    """What ``matrix.toml`` names, and of what it names none, those that go with the rest."""
    services, pages = project.services, project.pages
    if not services and not pages:
        return SERVICES, PAGES
    if not services:
        followed = {name for page in pages for name in _followed(page)}
        return [each for each in SERVICES if _name(each) in followed], pages
    if not pages:
        published = {_name(each) for each in services}
        return services, [each for each in PAGES if _followed(each, required=True) <= published]
    return services, pages


def _name(service: ServiceEntry) -> str:
    return fold(name_of(service, resolve(service.use, targets.SERVICES, SERVICE)))


def _followed(page: PageEntry, *, required: bool = False) -> set[str]:
    """The services that it follows, or only those that it waits for."""
    cls = resolve(page.use, targets.PAGES, PAGE)
    return {
        fold(page.feeds.get(attribute, feed.model.__name__))
        for attribute, feed in cls.feeds.items()
        if feed.required or not required
    }


async def _kept_running(server: EmbeddedServer) -> NoReturn:
    """Whenever the server has ended, start a new one in its place, as long as that helps.

    The services put back by themselves what it held.

    :raises BusUnavailable: it ended too often.
    """
    ended_at_s: list[float] = []
    while True:
        await asyncio.sleep(LOOK_S)
        how = server.ended
        if how is None:
            continue
        now_s = time.monotonic()
        ended_at_s = [at_s for at_s in ended_at_s if now_s - at_s < WITHIN_S] + [now_s]
        by = f"status {how}" if how >= 0 else signal.Signals(-how).name
        if len(ended_at_s) >= MOST_ENDS:
            raise BusUnavailable(
                f"The embedded server ended {MOST_ENDS} times within {WITHIN_S:.0f} s, now with "
                f"{by}. Find out what ends it, or run matrix serve and matrix show on a Redis of "
                "your own"
            )
        await asyncio.to_thread(server.restart)
        typer.echo(f"The embedded server ended with {by}: a new one is in its place", err=True)


def with_secrets(project: Project, redis_url: str) -> Project:
    """The project with the demo's own configuration as its secrets: sealed in a file, with a value
    that nobody declares and that nobody therefore gets."""
    path = project.state / SEALED
    folder = project.state.name
    own = {
        "source": [{"kind": "file", "path": f"{folder}/{SEALED}"}],
        "keyring": f"{folder}/{KEYRING}",
    }
    project = replace(project, secrets={**project.secrets, **own})
    settings = SecretsSettings.of(project)
    (source,) = settings.sources
    path.unlink(missing_ok=True)  # whatever key an earlier one was sealed with
    source.make_key(settings.home, settings.sources)
    section, _, field = UNDECLARED.partition(".")
    document = {"redis_url": redis_url, section: {field: secrets.token_urlsafe()}}
    with source.transit(settings.home) as transit:
        encryptor = Encryptor(transit, source.store(settings.home), source.place)
        encryptor.document(source.data_key, json.dumps(document).encode())
    return project


def _kept(project: Project, made: Instances) -> list[str]:
    """Which secrets there are, and who has what of them."""
    names = ", ".join(source.name for source in SecretsSettings.of(project).sources)
    having: dict[str, list[str]] = {}
    for name, fields in made.kept.items():
        having.setdefault(", ".join(fields) or "nothing", []).append(name)
    if len(having) == 1:
        kept = [f"each service and page kept {what}" for what in having]
    else:
        kept = [f"{', '.join(who)} kept {what}" for what, who in having.items()]
    return [f"{names}, read by a process that has ended", *kept]


async def _live(
    made: Instances,
    kept: Sequence[str],
    bus: Bus,
    width: int,
    height: int,
    port: int | None,
    also: Sequence[Sink],
    vitals: PanelVitals,
) -> NoReturn:
    from framework.panel.show import show_in_browser

    remarks = list(dict.fromkeys(remark for one in made.services for remark in one.remarks))

    def started(url: str) -> None:
        typer.echo(f"matrix     {url}")
        typer.echo(f"services   {', '.join(one.name for one in made.services) or 'none'}")
        typer.echo(f"pages      {', '.join(one.page.name for one in made.pages)}")
        for label, line in zip_longest(["secrets"], kept, fillvalue=""):
            typer.echo(f"{label:<10} {line}")
        for remark in remarks:
            typer.echo(f"place      {remark}")
        typer.echo("Ctrl-C stops everything.")

    await show_in_browser(
        [one.page for one in made.pages],
        bus,
        seconds=[one.seconds for one in made.pages],
        width=width,
        height=height,
        remark=" · ".join(remarks) or None,
        port=port,
        also=also,
        vitals=vitals,
        started=started,
    )


async def _pictures(
    pages: Sequence[ShownPage], bus: Bus, width: int, height: int, folder: Path, timeout_s: float
) -> int:
    from framework.panel.snapshot import snapshot

    missing = await snapshot(
        [one.page for one in pages],
        bus,
        folder,
        width=width,
        height=height,
        timeout_s=timeout_s,
        say=lambda line: typer.echo(line),
    )
    typer.echo(f"{len(pages)} page{'s' * (len(pages) > 1)} and contact-sheet.png are in {folder}")
    if not missing:
        return 0
    for name, why in missing.items():
        typer.echo(f"{name}: {why}, after {timeout_s:g} s", err=True)
    typer.echo("--timeout waits longer, --log-level info says what the services do", err=True)
    return EXIT_FAILED
