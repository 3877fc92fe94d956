"""``matrix dev``: saved and drawn, broken and mended, endless and stopped."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from framework.colours import rgb
from framework.panel.dev.source import LINE
from framework.panel.dev.workbench import GAP, GONE_S, Workbench

PAGE = """
from datetime import datetime
from framework import Canvas, DisplayBase, Feed, Values
from shade import COLOUR

class Tide(Values):
    height_m: float

class TidePage(DisplayBase):
    tide = Feed(Tide)

    def draw(self, canvas: Canvas, now: datetime) -> None:
        canvas.disc(10, 10, 5, COLOUR)
"""
DISC = (10, 10)
STATES = ("fresh", "late", "expired", "empty")
LIMIT_S = 20.0
SAVED_S = 2.0
"""So soon after it was saved it is to be seen."""


class Folder:
    """Where somebody writes a page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.save("shade.py", "COLOUR = 'sky'")
        self.save("tide.py", PAGE)

    def save(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def draw(self, *lines: str) -> None:
        """Save a page that draws so."""
        body = "\n".join(f"        {line}" for line in lines)
        self.save("tide.py", PAGE.replace("        canvas.disc(10, 10, 5, COLOUR)", body))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MATRIX_REDIS_URL", "redis://127.0.0.1:1")  # nobody is there
    return Folder(tmp_path)


class Bench:
    """A workbench that runs, and what a test sees of it."""

    def __init__(self, workbench: Workbench, url: str) -> None:
        self._workbench = workbench
        self.url = url

    @property
    def status(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._workbench.status_json())
        return said

    @property
    def problem(self) -> str:
        return self.status["problem"] or ""

    async def colour(self, state: str = "fresh") -> object:
        """Of the disc, in the first size; None while there is no picture."""
        image = await self._workbench.picture()
        x, y = DISC
        return image and image.getpixel((x, y + STATES.index(state) * (64 + GAP)))

    async def rests(self) -> bool:
        """Whether nothing moves for a while."""
        before = await self._workbench.picture()
        await asyncio.sleep(0.5)
        after = await self._workbench.picture()
        return before is not None and after is not None and before.tobytes() == after.tobytes()

    async def shows(self, colour: str) -> None:
        async with asyncio.timeout(LIMIT_S):
            while await self.colour() != rgb(colour):
                await asyncio.sleep(0.01)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def working(target: str = "tide.py", *values: str) -> AsyncIterator[Bench]:
    workbench = Workbench(target, values, port=0)
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(workbench.run(address.set_result))
    try:
        yield Bench(workbench, await asyncio.wait_for(address, 5))
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


# What is saved is drawn.


async def test_what_is_saved_is_drawn(folder: Folder) -> None:
    async with working() as bench:
        await bench.shows("sky")
        taken_s = []
        for colour in ("green", "red", "violet"):
            began_s = time.monotonic()
            folder.draw(f"canvas.disc(10, 10, 5, {colour!r})")
            await bench.shows(colour)
            taken_s.append(time.monotonic() - began_s)
        assert min(taken_s) < SAVED_S  # the best: others use this machine too


def test_what_is_gone_for_a_moment_has_not_changed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    bench = Workbench("tide.py", [])
    page, away = folder.path / "tide.py", folder.path / "tide.bak"
    for now_s in (1.0, 10.0):
        assert not bench._changed()
        page.rename(away)
        now_s += GONE_S - 0.1
        assert not bench._changed()
        away.rename(page)
        assert not bench._changed()
    page.unlink()
    now_s += GONE_S + 0.1
    assert bench._changed()
    assert not bench._changed()
    folder.save("tide.py", PAGE)
    assert bench._changed()


async def test_what_is_gone_is_missed(folder: Folder) -> None:
    async with working() as bench:
        await bench.shows("sky")
        (folder.path / "tide.py").unlink()
        await bench.until(lambda: "there is no file tide.py" in bench.problem)
        folder.save("tide.py", PAGE)
        await bench.shows("sky")
        (folder.path / "shade.py").unlink()
        await bench.until(lambda: "No module named 'shade'" in bench.problem)


async def test_what_it_imports_is_watched_too(folder: Folder) -> None:
    async with working() as bench:
        await bench.shows("sky")
        folder.save("shade.py", "COLOUR = 'red'")
        await bench.shows("red")


async def test_it_is_drawn_in_each_state(folder: Folder) -> None:
    async with working() as bench:
        await bench.shows("sky")
        fresh, late, expired, empty = [await bench.colour(state) for state in STATES]
        assert fresh == late == rgb("sky")
        assert isinstance(expired, tuple)
        assert expired[0] == expired[1] == expired[2] > 0
        assert empty == (0, 0, 0)
        assert bench.status["feeds"] == [{"name": "Tide", "source": "made up from the model"}]


@pytest.mark.parametrize("target", ["tide:TidePage", "tide.py:TidePage", "sea"])
async def test_a_page_is_named_as_everywhere(folder: Folder, target: str) -> None:
    folder.save("matrix.toml", '[[page]]\nuse = "tide:TidePage"\nname = "sea"\n')
    async with working(target) as bench:
        await bench.shows("sky")


async def test_a_page_in_a_package_is_imported_as_part_of_it(folder: Folder) -> None:
    package = folder.path / "sea"
    package.mkdir()
    (package / "__init__.py").touch()
    folder.save("sea/shade.py", "COLOUR = 'violet'")
    folder.save("sea/tide.py", PAGE.replace("from shade", "from .shade"))
    async with working("sea/tide.py") as bench:
        await bench.shows("violet")


async def test_what_is_printed_does_no_harm(folder: Folder) -> None:
    folder.draw("print('{}')", "canvas.disc(10, 10, 5, 'green')")
    async with working() as bench:
        await bench.shows("green")


# What is wrong is said.


async def test_what_is_no_python_is_said_until_it_is_mended(folder: Folder) -> None:
    async with working() as bench:
        await bench.shows("sky")
        folder.draw("canvas.disc(10, 10,")
        await bench.until(lambda: "SyntaxError" in bench.problem)
        assert "tide.py" in bench.problem
        assert await bench.colour() is None
        folder.draw("canvas.disc(10, 10, 5, 'green')")
        await bench.shows("green")
        assert bench.problem == ""


@pytest.mark.parametrize("text", ["1 / 0", f"{PAGE}\nraise OSError"])
async def test_a_traceback_begins_in_the_file_of_the_page(folder: Folder, text: str) -> None:
    folder.save("tide.py", text)
    async with working() as bench:
        await bench.until(lambda: bench.problem)
        first, second, *_ = bench.problem.splitlines()
        assert first.startswith("Traceback")
        assert f'"{folder.path / "tide.py"}", line' in second


async def test_what_names_no_file_is_of_the_page(folder: Folder) -> None:
    folder.save("tide.py", "COLOUR = 1\0")
    async with working() as bench:
        await bench.until(lambda: bench.problem)
        assert bench.problem.startswith("tide.py:\n")
        assert "null bytes" in bench.problem


@pytest.mark.parametrize("wrong", ["COLOUR = ", "COLOUR = skye"])
async def test_what_never_could_be_imported_is_watched(folder: Folder, wrong: str) -> None:
    folder.save("shade.py", wrong)
    async with working() as bench:
        await bench.until(lambda: "Error" in bench.problem)
        assert "shade.py" in bench.problem
        assert "framework" not in bench.problem
        folder.save("shade.py", "COLOUR = 'green'")
        await bench.shows("green")


@pytest.mark.parametrize("place", ["shade.py", "shade/__init__.py"])
async def test_what_was_missing_is_watched(folder: Folder, place: str) -> None:
    (folder.path / "shade.py").unlink()
    async with working() as bench:
        await bench.until(lambda: "No module named 'shade'" in bench.problem)
        (folder.path / place).parent.mkdir(exist_ok=True)
        folder.save(place, "COLOUR = 'green'")
        await bench.shows("green")


@pytest.mark.parametrize(
    "raised", ["KeyboardInterrupt", "GeneratorExit", "__import__('asyncio').CancelledError"]
)
async def test_whatever_is_raised_is_said(folder: Folder, raised: str) -> None:
    folder.draw(f"raise {raised}")
    said = raised.rpartition(".")[2]
    async with working() as bench:
        await bench.until(lambda: len(bench.status["problems"]) == 12)
        assert said in bench.status["problems"]["0"]
        folder.save("tide.py", f"raise {raised}")
        await bench.until(lambda: said in bench.problem)
        assert bench.problem.startswith("Traceback")


async def test_an_attribute_that_cannot_be_set_is_named(folder: Folder) -> None:
    folder.save("tide.py", f"{PAGE}\n    label = property(lambda self: 1 / 0)")
    async with working() as bench:
        await bench.until(lambda: bench.problem)
        said = "TidePage: property 'label' of 'TidePage' object has no setter. Mend it"
        assert bench.problem == said


async def test_a_file_that_is_not_there_yet(folder: Folder) -> None:
    async with working("other.py") as bench:
        await bench.until(lambda: "there is no file other.py" in bench.problem)
        folder.save("other.py", PAGE)
        await bench.shows("sky")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("COLOUR = 1", "there is no page in tide.py"),
        (f"{PAGE}\nclass Other(TidePage): pass", "tide.py:TidePage or tide.py:Other"),
    ],
)
async def test_a_file_in_which_it_is_not_clear(folder: Folder, text: str, said: str) -> None:
    folder.save("tide.py", text)
    async with working() as bench:
        await bench.until(lambda: said in bench.problem)


async def test_a_name_that_python_has_for_itself(folder: Folder) -> None:
    folder.save("json.py", PAGE)
    async with working("json.py") as bench:
        await bench.until(lambda: "json.py cannot be imported" in bench.problem)


@pytest.mark.parametrize("target", ["nowhere", "nowhere:Page", "tide:Nowhere"])
async def test_a_page_that_is_not_there(folder: Folder, target: str) -> None:
    async with working(target) as bench:
        await bench.until(lambda: bench.problem)
        assert "nowhere" in bench.problem.lower()


async def test_a_draw_that_raises_is_said_in_its_place(folder: Folder) -> None:
    folder.draw(
        "if canvas.width == 256:",
        "    raise ValueError('too wide')",
        "canvas.disc(10, 10, 5, 'sky')",
    )
    async with working() as bench:
        await bench.shows("sky")
        problems = bench.status["problems"]
        assert set(problems) == {str(4 * state + 3) for state in range(3)}
        assert problems["3"].splitlines()[-1] == "ValueError: too wide"
        assert "raise ValueError('too wide')" in problems["3"]
        assert "framework" not in problems["3"]


@pytest.mark.parametrize("before", [0, LINE - len("ValueError: ") - 6])
async def test_a_secret_in_an_error_is_masked_before_it_is_cut(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.setenv("MATRIX_TIDEPAGE__TOKEN", "s3cr3t-mark")
    text = PAGE.replace("(DisplayBase)", "(DisplayBase[Own])").replace(
        "class TidePage",
        "from pydantic import SecretStr\nfrom framework import Config\n"
        "class Own(Config):\n    token: SecretStr\n\nclass TidePage",
    )
    told = f"        raise ValueError('x' * {before} + self.config.token.get_secret_value())"
    folder.save("tide.py", text.replace("        canvas.disc(10, 10, 5, COLOUR)", told))
    async with working() as bench:
        await bench.until(lambda: bench.status["problems"])
        last = bench.status["problems"]["0"].splitlines()[-1]
        assert last.startswith(f"ValueError: {'x' * before}******")
        assert "s3cr" not in json.dumps(bench.status)


async def test_what_is_too_long_is_cut(folder: Folder) -> None:
    folder.draw("raise ValueError('x' * 2_000_000)")
    async with working() as bench:
        await bench.until(lambda: bench.status["problems"])
        last = bench.status["problems"]["0"].splitlines()[-1]
        assert last == f"ValueError: {'x' * LINE}"[:LINE] + "…"
        folder.save("tide.py", "raise ValueError('x' * 2_000_000)")
        await bench.until(lambda: bench.problem.splitlines()[-1:] == [last])


async def test_a_process_that_says_too_much_is_stopped(folder: Folder) -> None:
    folder.save("tide.py", f"{PAGE}\n    title = 'x' * 2_000_000")
    async with working() as bench:
        await bench.until(lambda: bench.problem)
        assert bench.problem.startswith("It was stopped at more than 1 MB of text in one piece")
        assert bench.problem.endswith("while reading its configuration and its values")
        folder.save("tide.py", PAGE)
        await bench.shows("sky")


async def test_an_endless_draw_is_stopped_and_named(folder: Folder) -> None:
    async with working() as bench:
        await bench.shows("sky")
        folder.draw("while True:", "    pass")
        await bench.until(lambda: bench.problem)
        assert bench.problem.startswith(
            "It was stopped after 3 s, while drawing Tide, fresh at 128x64\n"
        )
        assert 'tide.py", line' in bench.problem
        assert "in draw" in bench.problem
        assert "framework" not in bench.problem
        folder.draw("canvas.disc(10, 10, 5, 'green')")
        await bench.shows("green")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("os._exit(3)", "It ended itself, with status 3"),
        ("os.kill(os.getpid(), 9)", "It was ended by SIGKILL (is there too little memory?)"),
        ("os.kill(os.getpid(), 15)", "It was ended by SIGTERM"),
        ("import ctypes; ctypes.string_at(0)", "Python itself broke (Segmentation fault)"),
    ],
)
async def test_a_process_that_ends_takes_nothing_with_it(
    folder: Folder, what: str, said: str
) -> None:
    folder.draw("import os", what)
    async with working() as bench:
        await bench.until(lambda: bench.problem)
        assert bench.problem.startswith(f"{said}, while drawing Tide, fresh at 128x64")
        folder.draw("canvas.disc(10, 10, 5, 'green')")
        await bench.shows("green")


# Who watches.


class Watching:
    """A browser, without the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.status: dict[str, Any] = {}

    async def say(self, **words: object) -> None:
        await self._socket.send(json.dumps(words))

    async def batch(self) -> set[int]:
        """What has changed: which pictures."""
        frames = set()
        async with asyncio.timeout(10):
            while True:
                match await self._socket.recv():
                    case bytes(frame):
                        frames.add(int.from_bytes(frame[4:8], "little"))
                    case text:
                        message = json.loads(text)
                        self.status = message.get("status", self.status)
                        if "end" in message:
                            return frames

    async def silence(self) -> None:
        """Nothing more was sent: the answer to a ping would come after it."""
        await (await self._socket.ping())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self._socket.recv(), 0.01)


@asynccontextmanager
async def watching(bench: Bench) -> AsyncIterator[Watching]:
    async with connect(f"{bench.url.replace('http', 'ws', 1)}ws") as socket:
        yield Watching(socket)


async def test_what_moves_is_drawn_again_while_somebody_watches(folder: Folder) -> None:
    folder.draw(
        "canvas.disc(10, 10, 5, 'sky')",
        "canvas.text('A long text that does not fit into any of them' * 9, overflow='scroll')",
    )
    async with working() as bench:
        await bench.shows("sky")
        async with watching(bench) as browser:
            assert await browser.batch() == set(range(16))
            assert browser.status["title"] == "Tide"
            seen: set[int] = set()
            while not seen:
                await browser.say(do="drawn")
                seen = await browser.batch()
            assert seen <= set(range(12))  # without data there is no text
            await browser.say(do="watch", watching=False)
            async with asyncio.timeout(LIMIT_S):
                while not await bench.rests():
                    pass


async def test_nothing_is_queued_for_who_is_slow(folder: Folder) -> None:
    async with working() as bench, watching(bench) as browser:
        await bench.shows("sky")
        while not await browser.batch():
            await browser.say(do="drawn")
        for colour in ("green", "red"):
            folder.save("shade.py", f"COLOUR = {colour!r}")
            await bench.shows(colour)
        await browser.say(do="drawn")
        assert await browser.batch() == set(range(16))
        await browser.silence()


async def test_it_is_for_pages_of_this_machine_only(folder: Folder) -> None:
    async with working() as bench:
        place = urlsplit(bench.url)

        def get(path: str, host: str) -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=5)
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer

        for path in ("/", "/dev.js", "/dev.css", "/leds.js", "/icon.svg"):
            answer = await asyncio.to_thread(get, path, place.netloc)
            assert answer.status == 200
            assert "default-src 'self'" in (answer.getheader("Content-Security-Policy") or "")
        assert (await asyncio.to_thread(get, "/", "evil.example")).status == 403
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://{place.netloc}/ws", origin=Origin("http://evil.example")):
                pass


# The command.


def commanded(target: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [Path(sys.executable).with_name("matrix"), "dev", target],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_says_where_it_is_and_leaves_nothing_behind(folder: Folder) -> None:
    folder.draw("while True:", "    pass")
    with commanded("tide.py") as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline().startswith("tide.py is at http://127.0.0.1:")
            until_s = time.monotonic() + 10
            while not (children := psutil.Process(process.pid).children()):
                assert time.monotonic() < until_s
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
            assert process.stderr.read() == ""
            assert not any(child.is_running() for child in children)
        finally:
            process.kill()


def test_the_command_says_that_a_file_is_not_there_yet(folder: Folder) -> None:
    with commanded("nope.py:Tide") as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("there is no nope.py yet: write it")
        finally:
            process.terminate()
