"""The commands as a user runs them: processes, what they print, and how they end."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from framework.panel.marks import no_data
from pages.tile import TilePage
from tests import forked
from tests.ports import own_port
from tests.waiting import LIMIT_S, until_blocking

MATRIX = [str(Path(sys.executable).with_name("matrix"))]
TIDE = """
from datetime import datetime, timedelta

from framework import Canvas, DisplayBase, Feed, ServerBase, Unavailable, Values


class Tide(Values):
    height_m: float


class TideServer(ServerBase[Tide]):
    \"\"\"The tide.\"\"\"

    period = timedelta(seconds=1)

    async def fetch(self) -> Tide:
        return Tide(height_m=1.5)


class DryServer(ServerBase[Tide]):
    async def fetch(self) -> Tide:
        raise Unavailable("the gauge is dry")


class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.text(f"{self.tide.height_m} m")


class BadPage(DisplayBase):
    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.text(str(1 / 0))


if __name__ == "__main__":
    TideServer.run()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tide.py").write_text(TIDE)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MATRIX_")}
    return {**kept, "TZ": "Europe/Berlin", **more}


def matrix(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return forked.run("matrix", *words, cwd=folder, env=environment(**more))


class Started:
    """A command that goes on until it is told to stop."""

    def __init__(self, folder: Path, *words: str, **more: str) -> None:
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment(PYTHONUNBUFFERED="1", **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def until(self, mark: str) -> str:
        """All lines up to the one that has the mark."""
        lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line)
            if mark in line:
                return "".join(lines)
        raise AssertionError(f"it ended before {mark!r}: {''.join(lines)}")

    def stop(self, number: signal.Signals, *, group: bool = False) -> tuple[str, str, int]:
        if group:  # as a terminal's Ctrl-C does
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LIMIT_S)
        return out, err, self.process.returncode


OFFLINE = "[[service]]\nuse = 'moon'\n[[page]]\nuse = 'moon'\n[[page]]\nuse = 'clock'\n"
"""What needs no network."""


@pytest.fixture
def demo(folder: Path) -> Iterator[Started]:
    (folder / "matrix.toml").write_text(OFFLINE)
    started = Started(folder, *MATRIX, "demo", "--log-level", "info")
    yield started
    started.process.kill()
    started.process.communicate()


def servers_of(folder: Path) -> list[psutil.Process]:
    """The embedded servers whose working folder is below ours."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if "-server" in process.name() and process.cwd().startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def until_gone(folder: Path) -> None:
    """Until the embedded server is."""
    until_blocking(lambda: not servers_of(folder))


@pytest.mark.parametrize(
    ("number", "group"), [(signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGINT, True)]
)
def test_the_demo_starts_says_where_it_is_and_leaves_nothing(
    demo: Started, folder: Path, number: signal.Signals, group: bool
) -> None:
    said = demo.until("Ctrl-C")
    address = re.search(r"http://127\.0\.0\.1:\d+/", said)
    assert address is not None
    assert "Berlin, from your time zone: set [config] latitude, longitude" in said
    with urllib.request.urlopen(address[0], timeout=LIMIT_S) as page:  # noqa: S310  # our own, on loopback
        assert b"<canvas" in page.read()
    assert len(servers_of(folder)) == 1
    _, err, status = demo.stop(number, group=group)
    assert status == 0
    assert "Traceback" not in err
    until_gone(folder)
    left = [path.name for path in (folder / ".matrix").iterdir()]
    assert "bus" not in left
    assert "lock" not in left


def test_the_demo_says_how_it_is(folder: Path) -> None:
    health = f"[health]\nhost = '127.0.0.1'\nport = {own_port()}\n"
    (folder / "matrix.toml").write_text(f"{OFFLINE}{health}")
    demo = Started(folder, *MATRIX, "demo")
    try:
        demo.until("Ctrl-C")
        done = matrix(folder, "check")
    finally:
        demo.stop(signal.SIGTERM)
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_without_a_file_the_demo_shows_what_there_is(folder: Path) -> None:
    demo = Started(folder, *MATRIX, "demo")
    try:
        lines = [line.strip() for line in demo.until("Ctrl-C").splitlines()]
    finally:
        demo.stop(signal.SIGTERM)
    assert lines[1:3] == [
        "services   moon, weather, airquality, system",
        "pages      moonpage, clock, weatherpage, systempage, feedspage",
    ]


def test_the_demo_says_once_which_fields_all_kept(demo: Started, folder: Path) -> None:
    said = demo.until("Ctrl-C")
    assert [line.strip() for line in said.splitlines()][3:6] == [
        "secrets    .matrix/demo.sealed, read by a process that has ended",
        "each service and page kept redis_url",
        "nobody kept unused.token, which no class declares",
    ]
    password = (folder / ".matrix" / "bus").read_text().split("@")[0].rpartition(":")[2]
    assert password not in (folder / ".matrix" / "demo.sealed").read_text() + said


def test_the_demo_takes_ones_own_secrets_and_no_old_key_stops_it(folder: Path) -> None:
    (folder / "matrix.toml").write_text(OFFLINE)
    for _ in range(2):
        assert matrix(folder, "demo", "--snapshot", "out").returncode == 0
        (folder / ".matrix" / "demo.keyring").unlink()
    assert not (folder / ".matrix" / "keyring").exists()
    (folder / "matrix.toml").write_text(
        "[[secrets.source]]\nkind = 'file'\npath = 'mine.sealed'\nlayout = 'fields'\n"
        "[[service]]\nuse = 'moon'\n[[page]]\nuse = 'clock'\n[[page]]\nuse = 'moon'\n"
    )
    set_ = [*MATRIX, "encrypt", "--set", "clock.hours"]
    told = subprocess.run(
        set_,
        cwd=folder,
        env=environment(),
        input=b"12",
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.startswith(f"key         {folder}/.matrix/keyring was made, and".encode())
    demo = Started(folder, *MATRIX, "demo")
    try:
        lines = [line.strip() for line in demo.until("Ctrl-C").splitlines()]
    finally:
        demo.stop(signal.SIGTERM)
    assert lines[3:6] == [
        "secrets    mine.sealed, read by a process that has ended",
        "moon, moonpage kept nothing",
        "clock kept hours",
    ]


def test_killed_it_leaves_no_server_and_the_next_one_starts(demo: Started, folder: Path) -> None:
    demo.until("Ctrl-C")
    demo.process.kill()
    demo.process.wait()
    until_gone(folder)
    again = Started(folder, *MATRIX, "demo")
    try:
        again.until("Ctrl-C")
    finally:
        again.stop(signal.SIGTERM)


def kill_server(folder: Path) -> None:
    (server,) = servers_of(folder)
    server.kill()
    server.wait(LIMIT_S)


def until_replaced(demo: Started) -> None:
    assert demo.process.stderr is not None
    said = "The embedded server ended with SIGKILL: a new one is in its place\n"
    while (line := demo.process.stderr.readline()) != said:
        assert line, "it ended"


def feeds(address: str) -> dict[str, dict[str, Any]]:
    """What the panel says of each of its feeds, by name."""
    with urllib.request.urlopen(f"{address}status.json", timeout=LIMIT_S) as page:  # noqa: S310  # our own, on loopback
        return {one["name"]: one for one in json.load(page)["feeds"]}


def test_when_its_server_dies_the_demo_goes_on_with_a_new_one(folder: Path) -> None:
    (folder / "matrix.toml").write_text(
        "[[service]]\nuse = 'tide:TideServer'\n[[page]]\nuse = 'tide:TidePage'\n"
    )
    demo = Started(folder, *MATRIX, "demo")
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", demo.until("Ctrl-C"))
        assert address is not None
        url = (folder / ".matrix" / "bus").read_text().strip()
        until_held(url, "tide")
        kill_server(folder)
        until_replaced(demo)
        before = feeds(address[0])["tide"]["since"]
        until_blocking(lambda: feeds(address[0])["tide"]["since"] != before)
        assert feeds(address[0])["tide"]["freshness"] == "fresh"
        assert len(servers_of(folder)) == 1
        until_held(url, "tide")
        assert (folder / ".matrix" / "bus").read_text().strip() == url
    finally:
        _, err, status = demo.stop(signal.SIGTERM)
    assert status == 0
    assert "embedded server" not in err  # that was said once
    assert "Traceback" not in err
    until_gone(folder)


def test_a_server_that_goes_on_dying_ends_the_demo_with_a_sentence(
    demo: Started, folder: Path
) -> None:
    demo.until("Ctrl-C")
    for _ in range(2):
        kill_server(folder)
        until_replaced(demo)
    kill_server(folder)
    _, err = demo.process.communicate(timeout=LIMIT_S)
    assert demo.process.returncode == 1
    assert err.splitlines()[-1].startswith("The embedded server ended 3 times within 60 s, now ")
    assert "Traceback" not in err
    until_gone(folder)


def test_a_source_that_cannot_be_reached_is_offline_and_not_waited_for(folder: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        (folder / "matrix.toml").write_text(
            "[config.json]\n"
            f"url = 'http://127.0.0.1:{closed.getsockname()[1]}/?key=hunter2'\n"
            "[[service]]\nuse = 'json'\n[[page]]\nuse = 'tile'\n"
        )
        demo = Started(folder, *MATRIX, "demo", "--size", "64x32")
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+/", demo.until("Ctrl-C"))
            assert address is not None
            until_blocking(lambda: feeds(address[0])["json"]["failing"])
            failing = feeds(address[0])["json"]["failing"]
            with urllib.request.urlopen(f"{address[0]}now.png?look=raw", timeout=LIMIT_S) as now:  # noqa: S310  # our own, on loopback
                shown = Image.open(io.BytesIO(now.read())).convert("RGB")
        finally:
            demo.stop(signal.SIGTERM)
    assert failing == "127.0.0.1 cannot be reached: Connection refused"
    assert shown.tobytes() == no_data(64, 32, TilePage.icon, "json", failing).tobytes()


def test_a_second_demo_in_the_same_folder_is_refused(demo: Started, folder: Path) -> None:
    demo.until("Ctrl-C")
    second = matrix(folder, "demo")
    assert second.returncode == 78
    assert "already" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_service_of_ones_own_joins_the_demo(demo: Started, folder: Path) -> None:
    """python tide.py in the same folder finds the demo's server by itself."""
    demo.until("Ctrl-C")
    service = Started(folder, sys.executable, "tide.py")
    try:
        said = matrix(folder, "list")
        assert "the server of this folder" in said.stdout
        bus = (folder / ".matrix" / "bus").read_text().strip()
        until_held(bus, "tide")
    finally:
        assert service.stop(signal.SIGTERM)[2] == 0


def until_held(url: str, name: str) -> None:
    import redis

    with redis.Redis.from_url(url, protocol=2) as client:
        until_blocking(lambda: client.exists(f"matrix:{{{name}}}:state"))


def test_a_snapshot_is_one_picture_a_page_and_a_sheet(folder: Path) -> None:
    (folder / "matrix.toml").write_text(OFFLINE)
    done = matrix(folder, "demo", "--snapshot", "out")
    assert (done.returncode, done.stderr) == (0, "")
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["clock.png", "contact-sheet.png", "moonpage.png"]
    with Image.open(folder / "out" / "clock.png") as picture:
        assert picture.size == (128 * 8, 64 * 8)
    until_gone(folder)


@pytest.mark.parametrize("where", ["tide.py", "tide.py/out"])
def test_a_snapshot_into_a_file_is_refused_in_a_sentence(folder: Path, where: str) -> None:
    done = matrix(folder, "demo", "--snapshot", where)
    assert done.returncode == 78
    assert done.stderr.splitlines()[-1].startswith(f"Cannot write pictures to {where}: ")
    assert "Traceback" not in done.stderr


def test_a_page_without_data_is_named_and_the_status_is_1(folder: Path) -> None:
    (folder / "matrix.toml").write_text(
        textwrap.dedent(
            """
            [[service]]
            use = "tide:DryServer"
            [[page]]
            use = "tide:TidePage"
            [[page]]
            use = "tide:BadPage"
            [[page]]
            use = "clock"
            """
        )
    )
    done = matrix(folder, "demo", "--snapshot", "out", "--timeout", "1", "--size", "64x32")
    assert done.returncode == 1
    # Why there is none travels to whoever follows, in its own time.
    assert re.search(r"tidepage: no data(: the gauge is dry)?, after 1 s", done.stderr)
    assert "badpage: ZeroDivisionError, tide.py:" in done.stderr
    assert "clock:" not in done.stderr
    assert "the gauge is dry" in done.stderr
    with Image.open(folder / "out" / "tidepage.png") as picture:
        assert picture.size == (64 * 8, 32 * 8)


def test_two_instances_as_entries_of_the_file(folder: Path) -> None:
    (folder / "matrix.toml").write_text(
        textwrap.dedent(
            """
            [config]
            timezone = "Europe/Oslo"
            [config.tromso]
            latitude = 69.65
            longitude = 18.96
            [[service]]
            use = "moon"
            [[service]]
            use = "moon"
            name = "tromso"
            [[page]]
            use = "moon"
            [[page]]
            use = "moon"
            name = "north"
            feeds = { moon = "tromso" }
            """
        )
    )
    done = matrix(folder, "demo", "--snapshot", "out")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["contact-sheet.png", "moonpage.png", "north.png"]


def test_serve_and_show_meet_on_a_redis(server_of: object, folder: Path) -> None:
    url = server_of("valkey").url  # type: ignore[operator]  # the fixture is a function
    serving = Started(folder, *MATRIX, "serve", "tide:TideServer", MATRIX_REDIS_URL=url)
    picture = folder / "now.png"
    showing = Started(
        folder,
        *(*MATRIX, "show", "tide:TidePage", "--file", str(picture), "--size", "32x16"),
        MATRIX_REDIS_URL=url,
    )
    try:
        place = url.partition("@")[2] or url.removeprefix("redis://")
        assert serving.until("serving") == f"serving tide on {place.partition('?')[0]}\n"
        assert "http://127.0.0.1:" in showing.until("http")
        until_held(url, "tide")
        until_blocking(picture.exists)
    finally:
        assert serving.stop(signal.SIGTERM)[2] == 0
        assert showing.stop(signal.SIGINT)[2] == 0


def test_who_serves_says_where_and_of_what_place(folder: Path) -> None:
    serving = Started(
        folder,
        *(*MATRIX, "serve", "moon", "tide:TideServer"),
        MATRIX_REDIS_URL="redis://me:hunter2@127.0.0.1:1/0",
        MATRIX_TIDE__REDIS_URL="redis://:hunter2@127.0.0.1:1/5",
    )
    said = serving.until("place")
    assert said.splitlines() == [
        "serving moon on 127.0.0.1:1/0",
        "serving tide on 127.0.0.1:1/5",
        "place: Berlin, from your time zone: set [config] latitude, longitude",
    ]
    assert serving.stop(signal.SIGTERM)[2] == 0


@pytest.mark.parametrize("words", [("show", "tide:TidePage"), ("serve", "tide:TideServer")])
def test_where_logs_are_for_a_machine_nothing_is_said_beside_them(
    folder: Path, words: tuple[str, str]
) -> None:
    started = Started(
        folder,
        *(*MATRIX, *words),
        MATRIX_LOG_FORMAT="json",
        MATRIX_REDIS_URL="redis://127.0.0.1:1/0",
    )
    assert started.process.stderr is not None
    said = {"show": "the panel is at http://127.0.0.1:", "serve": "serving tide on 127.0.0.1:1/0"}
    while not json.loads(started.process.stderr.readline())["message"].startswith(said[words[0]]):
        pass
    out, _, status = started.stop(signal.SIGTERM)
    assert (out, status) == ("", 0)


def test_a_service_without_its_redis_waits_and_stops_cleanly(folder: Path) -> None:
    service = Started(
        folder, sys.executable, "tide.py", MATRIX_REDIS_URL="redis://:hunter2@127.0.0.1:1/0"
    )
    assert service.process.stderr is not None
    line = service.process.stderr.readline()
    assert line.endswith("serving on 127.0.0.1:1/0\n")
    line += service.process.stderr.readline()
    assert "nothing listens there" in line
    out, err, status = service.stop(signal.SIGTERM)
    assert status == 0
    assert "hunter2" not in line + out + err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve"], "nothing to serve"),
        (["show"], "nothing to show"),
        (["serve", "mon"], "moon"),
        (["serve", "clock"], "clock"),
        (["show", "tide:Nothing"], "Nothing"),
        (["show", "tide:TideServer"], "DisplayBase"),
        (["serve", "nowhere:Thing"], "nowhere"),
        (["serve", "moon", "moon"], "two instances"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(folder: Path, words: list[str], said: str) -> None:
    done = matrix(folder, *words)
    assert done.returncode == 78, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("size", ["128", "0x64", "128x513", "axb"])
def test_a_size_that_is_none_is_refused(folder: Path, size: str) -> None:
    done = matrix(folder, "demo", "--snapshot", "out", "--size", size)
    assert done.returncode == 2
    assert "128x64" in done.stderr


def test_a_choice_that_is_none_is_refused_in_our_words(folder: Path) -> None:
    done = matrix(folder, "list", "--log-level", "loud")
    assert done.returncode == 2
    assert "'--log-level': 'loud' is not one of 'debug', 'info'" in done.stderr


@pytest.mark.parametrize("command", ["serve", "show", "read"])
def test_how_targets_are_given(folder: Path, command: str) -> None:
    usage = matrix(folder, command, "--help").stdout.split("\n")[0]
    assert usage == f"Usage: matrix {command} [OPTIONS] [TARGET]..."


@pytest.mark.parametrize("words", [["list"], ["--help"], ["serve", "moon"]])
def test_what_cannot_be_written_is_a_sentence(folder: Path, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*MATRIX, *words],
            cwd=folder,
            env=environment(MATRIX_REDIS_URL="redis://127.0.0.1:1"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        74,
        "standard output cannot be written: No space left on device. Give it another place\n",
    )


def test_a_wrong_file_is_named(folder: Path) -> None:
    (folder / "matrix.toml").write_text("[[page]]\nuse = 'clock'\nsecond = 3\n")
    done = matrix(folder, "demo")
    assert done.returncode == 78
    assert "second" in done.stderr
    assert "seconds" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_list_says_where_each_value_would_come_from(folder: Path) -> None:
    (folder / "matrix.toml").write_text(
        "[config.clock]\nhours = 12\n[[page]]\nuse = 'clock'\n[[service]]\nuse = 'gone:Server'\n"
    )
    done = matrix(folder, "list", MATRIX_CLOCK__SECONDS="true", MATRIX_TIMEZONE="Europe/Oslo")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    origins = {line[0]: " ".join(line[-3:]) for line in lines if len(line) > 3}
    assert origins["seconds"].endswith("environment MATRIX_CLOCK__SECONDS")
    assert origins["timezone"].endswith("environment MATRIX_TIMEZONE")
    assert "[config.clock] hours in matrix.toml" in done.stdout
    assert "cannot be used" in done.stdout
    assert "moon" in done.stdout
    assert "configured by [config.moonpage], MATRIX_MOONPAGE__..." in done.stdout


def test_the_list_says_how_often(folder: Path) -> None:
    (folder / "matrix.toml").write_text(
        "[config.btc]\nurl = 'https://x.example'\nminutes = 60\n"
        "[[service]]\nuse = 'json'\nname = 'btc'\n"
    )
    said = matrix(folder, "list").stdout
    assert "publishes Json every 3600 s" in said
    assert "publishes Json as often as its configuration says" in said  # what has no url yet
    assert "publishes Moon every 300 s" in said


@pytest.mark.parametrize("command", ["demo", "serve", "show", "list", "encrypt", "read", "rotate"])
def test_help(folder: Path, command: str) -> None:
    assert command in matrix(folder, "--help").stdout
    done = matrix(folder, command, "--help")
    assert done.returncode == 0
    assert "--log-level" in done.stdout
