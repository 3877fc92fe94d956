"""``DisplayBase``: subclass it, write ``draw()``, and you have a page that can show itself."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, NoReturn, Self

from framework.page import C, Page
from framework.process import run
from framework.project import Project
from framework.redisbus import open_bus
from framework.vitals import PanelVitals
from framework.watching import watched


class DisplayBase(Page[C]):
    """A page: follows feeds and draws; configured by ``C``.

    Declare feeds, set the class attributes that differ, and write ``draw``::

        class TidePage(DisplayBase):
            tide = Feed(Tide)

            def draw(self, canvas: Canvas, now: datetime) -> None: ...
    """

    @classmethod
    def run(cls, *, name: str | None = None, feeds: Mapping[str, str] | None = None) -> NoReturn:
        """Construct and show on the LEDs of ``[panel]``, if there are any, and in a browser on
        loopback, until told to stop; then exit: 0 stopped, 75 secrets unavailable, 78 configuration
        wrong."""
        # Here: a page can be imported, and tested, without what only a panel needs.
        from framework.panel.panelsink import LedsAt, leds_of
        from framework.panel.show import show_in_browser

        vitals = PanelVitals()

        async def show(page: Self, project: Project, leds: LedsAt) -> NoReturn:
            bus = open_bus(page.config.redis_url.get_secret_value())
            try:
                await show_in_browser(
                    [page],
                    bus,
                    width=project.panel.width,
                    height=project.panel.height,
                    remark=" · ".join(page.remarks) or None,
                    also=leds(bus.time),
                    vitals=vitals,
                    started=lambda url: page.log.info("the panel is at %s", url),
                )
            finally:
                await bus.close()

        def start() -> Coroutine[Any, Any, NoReturn]:
            """Construct before there is a loop: reading the secrets may block for a minute."""
            project = Project.find(os.environ, Path.cwd())
            page, leds = cls(name=name, feeds=feeds), leds_of(project)
            return watched(lambda: show(page, project, leds), [vitals])

        run(start)
