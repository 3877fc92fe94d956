"""The child that reads the secrets: what it is given and gives, and every way in which it fails."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from framework.secrets.asking import Failure, ask
from framework.secrets.local.source import FileSource
from framework.secrets.prune import Tree
from framework.secrets.source import Home

TREE = Tree(own={"tide": {"token": {}}}, shared={"units": {}})
Answer = Callable[..., list[Any] | Failure]


def request(folder: Path, *sources: FileSource) -> dict[str, Any]:
    return {
        "home": asdict(Home(str(folder), str(folder / ".matrix" / "keyring"))),
        "tree": asdict(TREE),
        "sources": [asdict(source) for source in sources],
    }


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    gc.collect()
    children = psutil.Process().children()  # servers of other tests
    descriptors = set(Path("/proc/self/fd").iterdir())
    yield
    gc.collect()
    assert psutil.Process().children() == children  # a zombie would be one more
    assert set(Path("/proc/self/fd").iterdir()) == descriptors


@pytest.fixture
def instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Ask a child that does something else; ``reply`` writes to the pipe of the reply."""

    def answer(code: str, *, limit_s: float = 20.0, size: int = 0) -> list[Any] | Failure:
        prelude = """
            import json, os, sys, time
            def reply(content):
                while content:
                    content = content[os.write(int(sys.argv[-1]), content):]
            def whole(value):
                content = json.dumps(value).encode()
                reply(b"ready" + len(content).to_bytes(8, "big") + content)
        """
        script = tmp_path / "python"
        text = textwrap.dedent(prelude) + textwrap.dedent(code)
        script.write_text(f"#!{sys.executable}\n{text}")
        script.chmod(0o700)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(script))
            return ask({"filler": "x" * size}, limit_s=limit_s)

    return answer


# ----------------------------------------------------------------------------------- the real one


def test_it_hands_over_what_is_declared(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"tide": {"token": "t", "tokne": 1}, "moon": {"x": 1}}')
    (tmp_path / "b.yaml").write_text("units: metric\nother: x\n")
    asked = request(
        tmp_path,
        FileSource(path="a.json", plain=True),
        FileSource(path="b.yaml", plain=True, format="yaml"),
    )
    assert ask(asked) == [
        {"values": {"tide": {"token": "t"}}, "strangers": [["tide", "tokne"]]},
        {"values": {"units": "metric"}, "strangers": []},
    ]


def test_what_is_wrong_comes_back_as_data(tmp_path: Path) -> None:
    answer = ask(request(tmp_path, FileSource(path="none.json", plain=True)))
    assert isinstance(answer, Failure)
    assert answer.kind == "refused"
    assert answer.sentence.startswith("none.json is not there: ")


def test_it_imports_neither_pydantic_nor_what_other_kinds_need() -> None:
    code = "import sys, framework.secrets.child; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"pydantic", "hvac", "kubernetes", "requests", "yaml", "dotenv", "cryptography", "ssl"}
    assert heavy & {name.partition(".")[0] for name in done.stdout.split()} == set()


def test_it_cannot_be_looked_into_and_dumps_no_core(instead: Answer) -> None:
    assert instead(
        """
        import resource
        from framework.secrets import child
        from tests.secrets.dumpable import is_dumpable
        def answer(request, allow):
            limits = resource.getrlimit(resource.RLIMIT_CORE)
            return {"documents": [is_dumpable(), *limits]}
        child.answer = answer
        sys.argv[1:] = sys.argv[-1:]
        child.main()
        """
    ) == [False, 0, 0]


def test_it_ends_by_itself_should_its_service_be_gone(instead: Answer) -> None:
    answer = instead(
        """
        from framework.secrets import child
        child.LIFETIME_S = 1
        child.answer = lambda request, allow: time.sleep(60)
        sys.argv[1:] = sys.argv[-1:]
        child.main()
        """
    )
    assert isinstance(answer, Failure)
    assert answer.sentence.startswith("the process that reads them was killed by signal 14: ")
    assert answer.is_late


def test_a_bug_of_its_own_shows_no_value(instead: Answer) -> None:
    answer = instead(
        """
        from framework.secrets import child
        def read(*_):
            raise RuntimeError("MARKER")
        child.read = read
        request = {
            "home": {"folder": "/", "keyring": "/k"},
            "tree": {"own": {}, "shared": {}},
            "sources": [{"kind": "file", "path": "s"}],
        }
        whole(child.answer(request))
        """
    )
    assert isinstance(answer, Failure)
    assert answer.kind == "refused"
    assert answer.sentence.startswith("reading broke with RuntimeError in ")


def test_what_is_not_installed_is_named(instead: Answer) -> None:
    answer = instead(
        """
        from framework.secrets import child
        def read(*_):
            import no_such_module
        child.read = read
        whole(child.answer({
            "home": {"folder": "/", "keyring": "/k"},
            "tree": {"own": {}, "shared": {}},
            "sources": [{"kind": "file", "path": "s"}],
        }))
        """
    )
    assert isinstance(answer, Failure)
    assert answer.sentence.startswith("no_such_module is not installed for ")


# -------------------------------------------------------------------------------- how it is started


def test_neither_environment_nor_arguments_nor_folder_go_along(
    instead: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATRIX_TIDE__TOKEN", "MARKER")
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("SSLKEYLOGFILE", "/tmp/keys")  # noqa: S108  # nothing writes to it
    with Path(os.devnull).open("rb") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        found = instead(
            """
            number = int(sys.argv[-1])
            environment = [name for name in os.environ if name != "LC_CTYPE"]  # its own, at start
            descriptors = []
            for each in range(3, 100):
                try:
                    os.fstat(each)
                except OSError:
                    continue
                descriptors.append(each)
            whole({"documents": [
                environment, sys.argv[1:-1], os.getcwd(), descriptors == [number],
            ]})
            """
        )
    assert found == [[], ["-I", "-m", "framework.secrets.child"], "/", True]


@pytest.mark.parametrize(
    "closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]
)
def test_a_service_may_have_its_standard_streams_closed(tmp_path: Path, closed: str) -> None:
    (tmp_path / "a.json").write_text('{"tide": {"token": "t"}}')
    asked = request(tmp_path, FileSource(path="a.json", plain=True))
    code = (
        "import pathlib, sys\nfrom framework.secrets.asking import ask\n"
        "pathlib.Path(sys.argv[1]).write_text(str(ask(eval(sys.argv[2]))))\n"
    )
    words = [sys.executable, "-I", "-c", code, str(tmp_path / "answer"), repr(asked)]
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *words]
    subprocess.run(shell, timeout=60, check=True)
    assert (tmp_path / "answer").read_text() == str(
        [{"values": {"tide": {"token": "t"}}, "strangers": []}]
    )


# ------------------------------------------------------------------------------------- its faults

DIED = "the process that reads them"


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("time.sleep(60)", "did not end within 0.5 s and was killed"),
        (
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); reply(b'ready')\n"
            "os.close(int(sys.argv[-1])); os.close(1); os.close(2); time.sleep(60)",
            "did not end within 0.5 s and was killed",
        ),
        ("sys.stdin.buffer.read(1); time.sleep(60)", "did not end within 0.5 s and was killed"),
        ("reply(b'x' * 100_000); time.sleep(60)", "did not end within 0.5 s and was killed"),
    ],
)
def test_one_that_hangs_is_killed(instead: Answer, code: str, how: str) -> None:
    started_s = time.monotonic()
    answer = instead(code, limit_s=0.5, size=1_000_000)
    assert isinstance(answer, Failure)
    assert answer.kind == "unavailable"
    assert answer.sentence.startswith(f"{DIED} {how}")
    assert "raise [secrets] patience in matrix.toml" in answer.sentence
    assert answer.is_late
    assert time.monotonic() - started_s < 20


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("print('MARKER'); os.kill(os.getpid(), 11)", "was killed by signal 11"),
        ("reply(b'ready'); os.kill(os.getpid(), 9)", "was killed by signal 9"),
        (
            "reply(b'ready'); raise ValueError('MARKER')",
            "ended with status 1 and without an answer",
        ),
        ("", "ended with status 0 and without an answer"),
        ("reply(b'MARKER')", "ended with status 0 and without an answer"),
        ("reply(b'readyMARKER, and what is no length')", "ended with status 0 and without"),
        ("reply(b'ready' + (99).to_bytes(8, 'big') + b'{}')", "ended with status 0 and without"),
        ("reply(b'ready' + (1).to_bytes(8, 'big') + b'{}')", "ended with status 0 and without"),
        ("reply(b'ready' + (2).to_bytes(8, 'big') + b'{,')", "ended with status 0 and without"),
        ("whole([])", "ended with status 0 and without an answer"),
        ("whole({'documents': 'MARKER'})", "ended with status 0 and without an answer"),
        ("whole({'documents': [], 'refused': 'MARKER'})", "ended with status 0 and without"),
    ],
)
def test_one_that_dies_or_talks_nonsense_is_one_clear_failure(
    instead: Answer, code: str, how: str
) -> None:
    answer = instead(code)
    assert isinstance(answer, Failure)
    assert answer.kind == "unavailable"
    assert answer.sentence.startswith(f"{DIED} {how}")
    assert "MARKER" not in answer.sentence


def test_what_it_prints_is_no_answer_and_blocks_nothing(instead: Answer) -> None:
    code = """
        print("ready" * 100_000, flush=True)
        print("x" * 500_000, file=sys.stderr, flush=True)
        value = sys.stdin.buffer.read()
        print("x" * 500_000, flush=True)
        whole({"documents": [len(value), "y" * 500_000]})
    """
    size = len(json.dumps({"filler": "x" * 500_000}))
    assert instead(code, size=500_000) == [size, "y" * 500_000]


def test_one_that_does_not_listen_may_answer(instead: Answer) -> None:
    assert instead("os.close(0); whole({'refused': 'no'})", size=500_000) == Failure(
        "refused", "no"
    )


def test_one_that_cannot_start_says_why(instead: Answer) -> None:
    answer = instead("raise ModuleNotFoundError(\"No module named 'framework'\")")
    assert isinstance(answer, Failure)
    assert answer.kind == "refused"
    assert "ModuleNotFoundError: No module named 'framework'. Install" in answer.sentence


def test_a_python_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert ask({}) == Failure(
        "refused", "/nowhere/python cannot be started to read them: No such file or directory"
    )
    monkeypatch.setattr(sys, "executable", None)
    assert isinstance(refused := ask({}), Failure)
    assert refused.kind == "refused"
