"""The panel process and the sink that feeds it: what is on the LEDs, whatever dies or lies."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import pwd
import re
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from framework.colours import rgb
from framework.errors import ConfigError, PanelUnavailable
from framework.panel import panelsink
from framework.panel.driver import light, opening, privileges, receiver, wire
from framework.panel.driver.light import EXPIRED_S, LATE_S, Light, Picture
from framework.panel.driver.receiver import Receiver, Renderer
from framework.panel.driver.wire import Head
from framework.panel.panelsink import PanelSink
from framework.project import PanelEntry, Project
from tests.frozen import freeze, thaw
from tests.panel.emulator import rgbmatrix
from tests.panel.latency import frame_to_leds
from tests.panel.test_sinks import NoButtons, frame, stopped
from tests.waiting import LIMIT_S, until

SIZE = (32, 16)
PANEL = PanelEntry(driver="rgbmatrix", rows=16, cols=32, chain_length=1)
DARK = Image.new("RGB", SIZE)
PATIENCE_S = 2 * LIMIT_S


def picture(number: int) -> Image.Image:
    return frame(number % 256, SIZE)


class Show(NoButtons):
    """``matrix show``, as far as a sink sees it."""

    def __init__(self, path: Path, picture: Image.Image, **options: Any) -> None:
        self.sink = PanelSink(path, **options)
        self.picture = picture
        self.sizes: list[tuple[int, int]] = []
        self.task = asyncio.create_task(self.sink.run(self, lambda: None))

    def fix(self, size: tuple[int, int] | None) -> None:
        if size is not None:
            self.sizes.append(size)

    def wake(self) -> None:
        """As the panel's loop does: a little later."""
        asyncio.get_running_loop().call_later(0.002, lambda: self.sink.show(self.picture))

    def show(self, picture: Image.Image) -> None:
        self.picture = picture
        self.sink.show(picture)

    async def kill(self) -> None:
        await stopped(self.task)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame is seen only because a connection on which it was lost was made anew."""
    monkeypatch.setattr(panelsink, "PATIENCE_S", PATIENCE_S)


@pytest.fixture
def path(closed_folder: Path, emulator: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the socket. Nobody stops being root for the other tests."""
    monkeypatch.setattr(privileges, "drop_to", lambda user: None)
    monkeypatch.setattr(panelsink, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(panelsink, "LONGEST_RETRY_S", 0.01)
    return closed_folder / "panel.sock"


@asynccontextmanager
async def lit(path: Path, panel: PanelEntry = PANEL) -> AsyncIterator[Light]:
    opened = opening.open_panel(panel, path)
    task = asyncio.create_task(opened.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield opened
    finally:
        await stopped(task)


def visible() -> Image.Image:
    assert rgbmatrix.RGBMatrix.opened is not None
    return rgbmatrix.RGBMatrix.opened.front.image


def seen(expected: Image.Image) -> Callable[[], bool]:
    return lambda: visible() == expected


# ------------------------------------------------------------------------------------ what is seen


async def test_until_a_renderer_has_come_it_says_so(path: Path) -> None:
    async with lit(path):
        assert visible() == light.waiting(SIZE)
        assert visible() != DARK


async def test_a_renderer_is_told_the_size_and_seen(path: Path) -> None:
    async with lit(path):
        renderer = Show(path, picture(1))
        await until(seen(picture(1)))
        assert renderer.sizes == [SIZE]
        renderer.show(picture(2))
        await until(seen(picture(2)))
        await renderer.kill()


async def test_a_still_picture_is_lit_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SIGN_OF_LIFE_S", 0.005)
    asked = []

    def brightness() -> int:
        asked.append(100)
        return 100

    async with lit(path):
        renderer = Show(path, picture(1), brightness=brightness)
        await until(seen(picture(1)))
        assert rgbmatrix.RGBMatrix.opened is not None
        swaps = rgbmatrix.RGBMatrix.opened.swaps
        asked.clear()
        await until(lambda: len(asked) > 20)  # so many signs of life later
        assert rgbmatrix.RGBMatrix.opened.swaps == swaps
        await renderer.kill()


async def test_the_brightness_follows_though_the_picture_stands(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SIGN_OF_LIFE_S", 0.005)
    levels = [100]
    async with lit(path):
        grey = Image.new("RGB", SIZE, (200, 100, 50))
        renderer = Show(path, grey, brightness=lambda: levels[-1])
        for level, colour in ((100, (200, 100, 50)), (50, (100, 50, 25)), (0, (0, 0, 0))):
            levels.append(level)
            await until(seen(Image.new("RGB", SIZE, colour)))
        await renderer.kill()


@pytest.mark.parametrize(
    ("turn", "corner"), [(0, (0, 0)), (90, (31, 0)), (180, (31, 15)), (270, (0, 15))]
)
async def test_it_is_turned_clockwise(path: Path, turn: Any, corner: tuple[int, int]) -> None:
    async with lit(path, PANEL.model_copy(update={"rotate": turn})):
        renderer = Show(path, DARK)
        await until(lambda: bool(renderer.sizes))
        assert renderer.sizes == [SIZE if turn % 180 == 0 else SIZE[::-1]]
        marked = Image.new("RGB", renderer.sizes[0])
        marked.putpixel((0, 0), (255, 0, 0))
        renderer.show(marked)
        await until(lambda: visible().getpixel(corner) == (255, 0, 0))
        await renderer.kill()


@pytest.mark.parametrize("size", [(1, 1), (16, 8), (32, 64), (512, 512)])
async def test_a_frame_of_another_size_is_centred(path: Path, size: tuple[int, int]) -> None:
    expected = Image.new("RGB", SIZE)
    expected.paste(frame(9, size), ((32 - size[0]) // 2, (16 - size[1]) // 2))
    async with lit(path):
        renderer = Show(path, frame(9, size))
        await until(seen(expected))
        await renderer.kill()


# ------------------------------------------------------------------------------ what nobody judges


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_frame_that_was_left_behind_is_marked_and_then_says_how_old_it_is() -> None:
    left = Renderer(heard_s=100.0, frame=Image.new("RGB", (128, 64), "white"))

    def after(silent_s: float) -> Image.Image:
        return light.drawn(light.picture(left, 100.0 + silent_s), (128, 64))

    assert after(LATE_S - 0.1) == left.frame
    late = after(LATE_S)
    assert late.getpixel((127, 63)) == rgb("late")
    assert late.crop((0, 0, 124, 64)) == Image.new("RGB", (124, 64), "white")
    expired = after(EXPIRED_S)
    assert expired.getpixel((0, 0)) == (102, 102, 102)
    assert after(EXPIRED_S + 59) == expired != after(EXPIRED_S + 61)
    assert after(3 * 86400) != after(2 * 86400)


@pytest.mark.parametrize("size", [(128, 64), (64, 32), (32, 16), (8, 8)])
def test_what_is_drawn_late_needs_no_file(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = sys.modules["framework.fonts"]
    for each in vars(setting).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()
    light.prepare(size)

    def files(name: str) -> Any:
        raise AssertionError("opens a font")

    monkeypatch.setattr(setting, "files", files)
    for age in ("60 s", "12 min", "345 min", "6 h", "789 d"):
        light.drawn(Picture(Image.new("RGB", size), 100, age), size)


async def test_a_renderer_that_hangs_gives_way_to_one_that_does_not(
    closed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    path = closed_folder / "panel.sock"
    receiving = Receiver(opening.listen(path), SIZE, clock=clock)
    task = asyncio.create_task(receiving.run())

    def newest(expected: Image.Image) -> Callable[[], bool]:
        return lambda: (one := receiving.newest()) is not None and one.frame == expected

    first = Show(path, picture(1))
    await until(newest(picture(1)))
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(Head(*SIZE).to_wire() + picture(2).tobytes())
    await until(newest(picture(2)))
    clock.now_s += receiver.SILENT_S + 0.1
    first.show(picture(3))
    await until(newest(picture(3)))
    writer.write(Head(0, 0).to_wire())
    await until(newest(picture(2)))
    clock.now_s += receiver.SILENT_S + 0.1  # now both hang: the last one shown stays
    assert newest(picture(2))()
    writer.transport.abort()
    await first.kill()
    await stopped(task)


# ------------------------------------------------------------------------------------- what dies


async def test_the_last_frame_stays_when_the_renderer_dies(path: Path) -> None:
    async with lit(path) as opened:
        renderer = Show(path, picture(1))
        await until(seen(picture(1)))
        await renderer.kill()
        await until(lambda: not opened._receiver._renderers)
        opened.look()
        assert visible() == picture(1)


async def test_a_hundred_renderers_die(path: Path) -> None:
    async with lit(path) as opened:
        for number in range(100):
            renderer = Show(path, picture(number))
            await until(seen(picture(number)))
            renderer.show(picture(number + 1))  # that may be half under way
            await renderer.kill()
        await until(lambda: not opened._receiver._renderers)
        last = Show(path, picture(200))
        await until(seen(picture(200)))
        await last.kill()


async def test_a_hundred_panels_die(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SIGN_OF_LIFE_S", 0.005)  # by which a renderer notices
    renderer = Show(path, picture(0))
    for number in range(100):
        async with lit(path):  # whose socket each one leaves behind
            renderer.picture = picture(number)
            await until(seen(picture(number)))
    await renderer.kill()
    gc.collect()


async def test_what_was_held_while_the_panel_was_gone_is_not_shown(path: Path) -> None:
    renderer = Show(path, picture(0))
    async with lit(path):
        await until(seen(picture(0)))
    await until(lambda: not renderer.sink.watched)
    renderer.show(picture(1))
    renderer.sizes.clear()
    renderer.picture = picture(2)
    async with lit(path):
        await until(lambda: visible() != light.waiting(SIZE))
        assert visible() == picture(2)
    await renderer.kill()


async def test_the_renderer_that_came_last_is_seen_and_then_the_one_before(path: Path) -> None:
    async with lit(path):
        first = Show(path, picture(1))
        await until(seen(picture(1)))
        second = Show(path, picture(2))
        await until(seen(picture(2)))
        first.show(picture(3))
        second.show(picture(4))
        await until(seen(picture(4)))
        await second.kill()
        await until(seen(picture(3)))
        await first.kill()


async def test_a_crowd_is_sent_away(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with lit(path) as opened:
        receiving = opened._receiver
        crowd = [Show(path, picture(number)) for number in range(receiver.MOST_RENDERERS)]
        await until(lambda: [bool(one.frame) for one in receiving._renderers] == [True] * 8)
        late = [Show(path, picture(number)) for number in range(3)]
        await until(lambda: receiving._outage.failures > len(late))
        assert not any(one.sizes for one in late)
        told = [one.message for one in caplog.records if one.levelno >= logging.WARNING]
        assert told.count("renderer: sent away: 8 are connected already") == 1
        await crowd.pop().kill()
        await until(lambda: "renderer: works again after" in caplog.text)
        for one in crowd + late:
            await one.kill()


@pytest.mark.parametrize(
    ("garbage", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "does not speak the language of panels"),
        (b"LED\x02" + bytes(5), "it speaks version 2 of the language of panels, this end 1"),
        (Head(513, 1).to_wire(), "it says 513x1 at 100 %, which cannot be"),
        (Head(1, 0).to_wire(), "it says 1x0"),
        (Head(0, 1).to_wire(), "it says 0x1"),
        (Head(1, 1, 101).to_wire(), "it says 1x1 at 101 %"),
    ],
)
async def test_garbage_is_sent_away_and_changes_nothing(
    path: Path, garbage: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with lit(path):
        renderer = Show(path, picture(1))
        await until(seen(picture(1)))
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(garbage)
        await wire.read_head(reader)
        assert await reader.read() == b""
        writer.transport.abort()
        assert said in caplog.text
        renderer.show(picture(2))
        await until(seen(picture(2)))
        await renderer.kill()


@pytest.mark.parametrize("cut", [1, 8, 9, 10, 500])
async def test_half_a_message_is_none(path: Path, cut: int) -> None:
    async with lit(path):
        renderer = Show(path, picture(1))
        await until(seen(picture(1)))
        _, writer = await asyncio.open_unix_connection(path)
        writer.write((Head(*SIZE).to_wire() + picture(2).tobytes())[:cut])
        await writer.drain()
        writer.transport.abort()
        renderer.show(picture(3))
        await until(seen(picture(3)))
        await renderer.kill()


# ---------------------------------------------------------------------------------------- the sink


@asynccontextmanager
async def answering(path: Path, answer: bytes) -> AsyncIterator[None]:
    """What listens there says this to each that comes, and nothing more."""

    async def serve() -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listening)
            connection.sendall(answer)
            connections.append(connection)

    listening = opening.listen(path)
    listening.setblocking(False)
    connections = [listening]
    task = asyncio.create_task(serve())
    try:
        yield
    finally:
        await stopped(task)
        for one in connections:
            one.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "nothing listens at {path}: start matrix panel"),
        (b"", "what listens at {path} does not answer: is matrix panel stopped?"),
        (b"HTTP/1.1 400", "is not understood: it does not speak the language of panels"),
        (b"LED\x02" + bytes(5), "this end 1: install the same matrix-framework for both"),
        (Head(*SIZE).to_wire(), "what listens at {path} does not answer"),
    ],
)
async def test_what_is_wrong_is_said_once_and_tried_again(
    path: Path,
    answer: bytes | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if "does not answer" in said:
        monkeypatch.setattr(panelsink, "PATIENCE_S", 0.02)
    there = nullcontext() if answer is None else answering(path, answer)
    async with there:
        renderer = Show(path, picture(1))
        with caplog.at_level(logging.DEBUG):
            await until(lambda: len(caplog.records) > 3)
    warnings = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert said.format(path=path) in warnings[0]
    monkeypatch.setattr(panelsink, "PATIENCE_S", PATIENCE_S)
    async with lit(path):
        await until(seen(picture(1)))
    await renderer.kill()


# -------------------------------------------------------------------------------------- the socket


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            FileNotFoundError(errno.ENOENT, "Absent"),
            "nothing listens at {path}: start matrix panel",
        ),
        (ConnectionRefusedError(), "nothing listens at {path}: start matrix panel"),
        (ConnectionResetError("Connection lost"), "matrix panel at {path} has ended, or"),
        (asyncio.IncompleteReadError(b"", 1), "matrix panel at {path} has ended, or"),
        (PermissionError(errno.EACCES, "Denied"), "run matrix show as the owner of {path.parent}"),
        (OSError("AF_UNIX path too long"), "{path} cannot be reached: OSError. See to it"),
        (NotADirectoryError(errno.ENOTDIR, "No folder"), "reached: No folder. Make the folder"),
    ],
)
def test_each_trouble_with_the_panel_has_its_own_remedy(path: Path, error: Any, said: str) -> None:
    assert said.format(path=path) in panelsink._in_words(path, error)


async def test_a_second_panel_is_refused_and_the_first_one_not_disturbed(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with lit(path):
        with pytest.raises(PanelUnavailable, match="another matrix panel is there"):
            opening.listen(path)
        renderer = Show(path, picture(1))
        await until(seen(picture(1)))
        assert "a renderer has come; 1 connected" in caplog.text
        assert "gone" not in caplog.text
        await renderer.kill()


def test_a_socket_that_is_bound_has_its_place(path: Path) -> None:
    with opening.bind(path), pytest.raises(PanelUnavailable, match="another matrix panel is"):
        opening.listen(path)
    opening.listen(path).close()  # left behind, by who is gone


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_what_is_no_socket_stays_where_it_is(path: Path, kind: str) -> None:
    target = path.with_name("target")
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(target)
    if kind == "link":
        opening.listen(target).close()
    before = path.lstat()
    with pytest.raises(ConfigError, match=r"no socket\. Move it away, or name another path"):
        opening.listen(path)
    assert path.lstat() == before
    assert target.exists() == (kind == "link")


def test_whoever_may_enter_its_folder_may_draw(path: Path) -> None:
    umask = os.umask(0o077)
    try:
        with opening.listen(path):
            assert path.stat().st_mode & 0o777 == 0o666
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(umask)


def test_a_name_that_no_socket_may_have(tmp_path: Path) -> None:
    (tmp_path / "matrix.toml").write_text(f'[panel]\nsocket = "{"x" * 120}"')
    with pytest.raises(ConfigError, match=r"Name a shorter one in \[panel\] socket"):
        wire.socket_path(Project.find({}, tmp_path))


def test_where_it_may_not_listen(tmp_path: Path) -> None:
    tmp_path.chmod(0o701)
    state = tmp_path / ".matrix"
    state.mkdir(mode=0o701)
    file = tmp_path / "file"
    file.touch(mode=0o666)
    for folder, said in (
        (tmp_path, "is open to all users. Name one that only you may enter in [panel] socket"),
        (state, f"is open to all users. Close it: chmod o= {state}"),
        (tmp_path / "absent", f"is not there. Make it: mkdir -m 700 {tmp_path}/absent"),
        (file, "is no folder, or lies in what is none. Name another in [panel] socket of"),
        (file / "in", "is no folder, or lies in what is none. Name another in [panel] socket of"),
    ):
        with pytest.raises(ConfigError, match=re.escape(f"{folder} {said}")):
            opening.listen(folder / "panel.sock")


# ------------------------------------------------------------------------------------- the process


class Process:
    """``matrix panel``, with an emulator that refuses files after root was dropped."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder = folder
        self.lit = folder / "lit"
        environment = {key: value for key, value in os.environ.items() if "MATRIX" not in key}
        environment["PYTHONPATH"] = str(Path(rgbmatrix.__file__).parent)
        environment["EMULATED_PANEL"] = str(self.lit)
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("matrix"), "panel"],
            cwd=folder,
            env={**environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()

    def seen(self, picture: Image.Image) -> Callable[[], bool]:
        return lambda: self.lit.read_bytes() == picture.tobytes()

    def changed(self) -> Callable[[], bool]:
        """Whether something else is lit than when this was called."""
        before = self.lit.read_bytes()
        return lambda: self.lit.read_bytes() != before

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        return self.outcome()

    def outcome(self) -> tuple[int, str]:
        """The exit status, and all that it said, of one that ends."""
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, self.first + output


@pytest.fixture
def folder(closed_folder: Path) -> Path:
    (closed_folder / ".matrix").mkdir(mode=0o700)
    (closed_folder / "matrix.toml").write_text(
        '[panel]\ndriver = "rgbmatrix"\nrows = 16\ncols = 32\nchain_length = 1\n'
    )
    return closed_folder


@pytest.fixture
def process(folder: Path) -> Iterator[Process]:
    started = Process(folder)
    yield started
    started.process.kill()
    started.process.communicate()


async def test_the_process_lights_what_it_is_sent_and_ends_in_order(process: Process) -> None:
    path = process.folder / ".matrix" / "panel.sock"
    assert process.first == f"the panel takes frames at {path}\n"
    renderer = Show(path, picture(1))
    await until(process.seen(picture(1)))
    renderer.show(picture(2))
    await until(process.seen(picture(2)))
    await renderer.kill()
    status, output = process.end()
    assert status == 0, output
    assert "Traceback" not in output


async def test_systemd_is_told_that_it_lives_and_not_when_it_stands(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.setblocking(False)
        # Not in this folder, which whoever has dropped root may not enter.
        systemd.bind(f"\0{folder}")
        process = Process(folder, NOTIFY_SOCKET=f"@{folder}", WATCHDOG_USEC="200000")
        async with asyncio.timeout(LIMIT_S):
            assert await loop.sock_recv(systemd, 100) == b"READY=1"
            for _ in range(3):
                assert await loop.sock_recv(systemd, 100) == b"WATCHDOG=1"
        freeze(process.process)
        with suppress(BlockingIOError):
            while systemd.recv(100):
                pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await loop.sock_recv(systemd, 100)
        assert process.end(signal.SIGKILL)[0] == -signal.SIGKILL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stop being root")
def test_root_is_dropped_by_every_thread_and_for_good(process: Process) -> None:
    user = pwd.getpwnam("daemon")
    groups = " ".join(map(str, sorted(os.getgrouplist(user.pw_name, user.pw_gid))))
    expected = [
        "Uid:" + f"\t{user.pw_uid}" * 4,
        "Gid:" + f"\t{user.pw_gid}" * 4,
        f"Groups:\t{groups}",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
    ]
    of_interest = tuple(line.partition("\t")[0] for line in expected)
    for task in Path(f"/proc/{process.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        assert [line.strip() for line in lines if line.startswith(of_interest)] == expected


async def test_a_panel_that_hangs_costs_the_renderer_nothing_but_frames(process: Process) -> None:
    renderer = Show(process.folder / ".matrix" / "panel.sock", picture(1))
    await until(process.seen(picture(1)))
    freeze(process.process)
    for number in range(200):  # whoever waited for it would do so for ever
        renderer.show(frame(number, (512, 512)))
        await asyncio.sleep(0)
    renderer.show(picture(7))
    thaw(process.process)
    await until(process.seen(picture(7)))
    await renderer.kill()


async def test_a_killed_process_is_followed_by_another(folder: Path) -> None:
    renderer = Show(folder / ".matrix" / "panel.sock", picture(5))
    for _ in range(2):
        process = Process(folder)
        await until(process.seen(picture(5)))
        process.end(signal.SIGKILL)
    await renderer.kill()


def test_a_second_process_may_be_started_again(process: Process) -> None:
    status, said = Process(process.folder).outcome()
    assert status == 75
    assert "End that one first: with Ctrl-C, or sudo systemctl stop matrix-panel" in said


async def test_matrix_show_is_seen_and_may_be_killed(process: Process) -> None:
    matrix = Path(sys.executable).with_name("matrix")
    for page in ("clock", "moon"):
        showing = await asyncio.create_subprocess_exec(
            matrix, "show", page, cwd=process.folder, stdout=subprocess.DEVNULL
        )
        await until(process.changed())
        showing.kill()
        await showing.wait()
        assert process.process.poll() is None
    _, output = process.end()
    assert output.count("a renderer has come; 1 connected") == 2
    assert output.count("a renderer has gone; 0 connected") == 2


async def test_a_frame_does_not_wait_for_the_next_sign_of_life() -> None:
    taken_s = await frame_to_leds(50)
    assert len(taken_s) == 50
    assert 0 < min(taken_s) <= statistics.median(taken_s) < wire.SIGN_OF_LIFE_S / 2


def test_without_a_file_the_driver_is_what_is_missed_first(tmp_path: Path) -> None:
    status, said = Process(tmp_path).outcome()
    assert status == 78
    assert 'add [panel] driver = "rgbmatrix"' in said


def test_leds_that_cannot_be_opened_may_be_later(folder: Path) -> None:
    (folder / "matrix.toml").write_text('[panel]\ndriver = "rgbmatrix"\nrows = 128')
    status, said = Process(folder).outcome()
    assert status == 75
    assert "the LEDs cannot be opened" in said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", 'add [panel] driver = "rgbmatrix", or "piomatter" on a Pi 5'),
        ('[panel]\ndriver = "rgbmatrix"\nuser = "nobody-at-all"', "there is no such user"),
        ('[panel]\ndriver = "rgbmatrix"\nuser = "root"', "that is root again"),
        ('[panel]\ndriver = "rgbmatrix"\nchain_length = 9', "the panel is 576x64, and pages draw"),
        ('[panel]\ndriver = "rgbmatrix"\nsocket = "nowhere/x"', "is not there. Make it: mkdir"),
        ('[panel]\ndriver = "rgbmatrix"\nmultiplexing = 300', "multiplexing must be at most 255"),
        ("[panel]\nrow_address_type = 300", "row_address_type must be at most 255"),
        ('[panel]\ndriver = "rgbmatrix"\nlimit_refresh_rate_hz = 4000000000', "do not take it"),
    ],
)
def test_what_cannot_be_is_one_sentence(folder: Path, table: str, said: str) -> None:
    if "user" in table and os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    (folder / "matrix.toml").write_text(table)
    status, output = Process(folder).outcome()
    assert status == 78
    assert said in output
    assert "Traceback" not in output
