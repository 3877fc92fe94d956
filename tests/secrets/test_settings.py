"""``[secrets]``: what can be said, and what is wrong with what cannot be."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.project import Project
from framework.secrets import plan
from framework.secrets.kinds import KINDS
from framework.secrets.local.source import FileSource
from framework.secrets.place import SecretPlace
from framework.secrets.settings import SecretsSettings
from framework.secrets.store import StoreRefused


def settings(folder: Path, text: str) -> SecretsSettings:
    (folder / "matrix.toml").write_text(text)
    return SecretsSettings.of(Project.find({}, folder))


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(folder, text)
    assert caught.value.__context__ is None
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


T = 'path = "t"'


def source(*lines: str, kind: str = 'kind = "file"', path: str = 'path = "s"') -> str:
    return "\n".join(["[[secrets.source]]", kind, path, *lines])


KUBERNETES = source(
    "secret = 'x'", "namespace = 'home'", "cluster = 'prod'", kind="kind = 'kubernetes'", path=""
)


def test_without_a_word_there_is_no_source(tmp_path: Path) -> None:
    for found in (settings(tmp_path, ""), SecretsSettings.of(Project.find({}, tmp_path / "no"))):
        assert (found.sources, found.patience_s, found.profilers) == ((), 60.0, False)
        assert found.rotation == plan.Settings()
    assert settings(tmp_path, "").home.keyring == str(tmp_path / ".matrix" / "keyring")


def test_all_that_can_be_said(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        f"""
        [secrets]
        patience = 5
        profilers = true
        keyring = "/elsewhere/keyring"
        [secrets.rotate]
        min_age_hours = 1
        grace_hours = 0.5
        retire = true
        {source('data_key = "all.yaml"', 'format = "yaml"')}
        {source('layout = "fields"', path='path = "sub/fields.sealed"')}
        {source('format = "text"', 'field = "t.x"', "plain = true", "secrets = true", path=T)}
        """,
    )
    assert (found.patience_s, found.profilers) == (5.0, True)
    assert (found.home.folder, found.home.keyring) == (str(tmp_path), "/elsewhere/keyring")
    assert found.rotation == plan.Settings(
        min_age=timedelta(hours=1), grace=timedelta(minutes=30), retire=True
    )
    assert found.sources == (
        FileSource(path="s", data_key="all.yaml", format="yaml"),
        FileSource(path="sub/fields.sealed", layout="fields"),
        FileSource(path="t", format="text", field="t.x", plain=True, secrets=True),
    )
    assert found.sources[1].place == SecretPlace("fields", "local", "local", "fields")


def test_a_source_travels_as_it_is(tmp_path: Path) -> None:
    (found,) = settings(tmp_path, source('layout = "fields"')).sources
    sent = asdict(found)
    assert KINDS[sent["kind"]](**sent) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[secrets]\npatience = -1", "secrets.patience must be at least 0.0"),
        ("[secrets]\npatience = 'x'", "secrets.patience must be a number"),
        ("[secrets]\nprofilers = 1", "secrets.profilers must be true or false"),
        ("[secrets]\nkeyring = ''", "secrets.keyring must not be empty"),
        ("[secrets]\nkeyrnig = 'x'", "nothing is called secrets.keyrnig; did you mean keyring?"),
        ("[secrets.rotate]\nretire = 1", "secrets.rotate.retire must be true or false"),
        (
            "[secrets.rotate]\nmin_age_hours = '20 h'",
            "secrets.rotate.min_age_hours must be a number",
        ),
        (
            "[secrets.rotate]\nmin_age_hours = nan",
            "secrets.rotate.min_age_hours must be a finite number",
        ),
        ("[secrets.rotate]\ngrace_hours = -1", "secrets.rotate.grace_hours must be at least 0.0"),
        (
            "[secrets.rotate]\ngrace_hours = 1e300",
            "secrets.rotate.grace_hours must be at most 87600.0",
        ),
        (
            "[secrets.rotate]\ngrace = 24",
            "nothing is called secrets.rotate.grace; did you mean grace_hours?",
        ),
        ("[secrets]\nrotate = 24", "secrets.rotate must be a table"),
        ("[secrets.source]\npath = 'x'", "secrets.source must be written as [[secrets.source]]"),
        ("[secrets]\nsource = ['x']", "secrets.source 1 must be a table"),
        (source(kind=""), "secrets.source 1.kind must be one of file, kubernetes"),
        (source(kind="kind = 'flie'"), "secrets.source 1.kind must be one of file, kubernetes"),
        (source(kind="kind = [1]"), "secrets.source 1.kind must be one of file, kubernetes"),
        (source(path=""), "secrets.source 1.path is missing"),
        (source(path="path = 5"), "secrets.source 1.path must be text, in quotes"),
        (source(path="path = ''"), "secrets.source 1.path must name a file"),
        (source("plian = true"), "nothing is called secrets.source 1.plian; did you mean plain?"),
        (source("plain = 'x'"), "secrets.source 1.plain must be true or false"),
        (source("plain = 'yes'"), "secrets.source 1.plain must be true or false"),
        (source("plain = true", "secrets = 1"), "secrets.source 1.secrets must be true or false"),
        (source(path='path = "x\\u0000y"'), "secrets.source 1.path must name a file"),
        ('[secrets]\nkeyring = "x\\u0000y"', "secrets.keyring is not valid"),
        (
            source() + "\n" + source("plain = true", path="path = './a/../s'"),
            "secrets.source 1 (s) and secrets.source 2 (./a/../s) are one file: "
            "remove one of the two",
        ),
        (
            source() + "\n" + source(path=T) + "\n" + source(path="path = 'sub/s.sealed'"),
            "secrets.source 1 (s) and secrets.source 3 (sub/s.sealed) are sealed for one place, "
            "which is the name of the file without folder and suffix, so that one can be put "
            "where the other was: call them by two names",
        ),
        (
            KUBERNETES + "\n" + KUBERNETES + "\nlayout = 'fields'",
            "secrets.source 1 (Secret home/x) and secrets.source 2 (Secret home/x) are one "
            "Secret: remove one, or make it two",
        ),
        (
            source("layout = 'flat'"),
            "secrets.source 1.layout must be 'document' or 'fields'",
        ),
        (
            source("format = 'ini'"),
            "secrets.source 1.format must be 'json', 'yaml', 'toml', 'env' or 'text'",
        ),
        (
            source("plain = true", "layout = 'document'"),
            "secrets.source 1.layout says how something is sealed, and plain = true that it is not",
        ),
        (
            source("secrets = true"),
            "secrets.source 1.secrets is for a plain source: "
            "a sealed one may supply secrets anyway",
        ),
        (
            source("layout = 'fields'", "format = 'yaml'"),
            'secrets.source 1.format is of a document, and layout = "fields" has none',
        ),
        (
            source("format = 'text'"),
            'secrets.source 1.field is missing: format = "text" fills one field, as in '
            '"tide.token"',
        ),
        (
            source("field = 'tide.token'"),
            'secrets.source 1.field is for format = "text" alone: '
            "every other format names its fields",
        ),
        (
            source("format = 'text'", "field = 'tide.'"),
            'secrets.source 1.field must be names with a point between them, as in "tide.token"',
        ),
        (
            source("plain = true", "data_key = 'x'"),
            "secrets.source 1.data_key is of a sealed file: a plain one is the document itself",
        ),
        (
            source() + "\n" + source("plian = true"),
            "nothing is called secrets.source 2.plian; did you mean plain?",
        ),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    assert f"matrix.toml: {said}" in problems(tmp_path, text)


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = source(path="") + "\n" + source("plian = true", "fromat = 'json'")
    assert len(problems(tmp_path, text)) == 3


@pytest.mark.parametrize(
    "other",
    [
        source("layout = 'fields'", path="path = 'sub/s.sealed'"),
        source("plain = true", path="path = 's.json'"),
    ],
)
def test_one_name_twice_where_one_cannot_be_put_for_the_other(tmp_path: Path, other: str) -> None:
    assert len(settings(tmp_path, source() + "\n" + other).sources) == 2


def test_parts_of_one_plain_object_of_kubernetes(tmp_path: Path) -> None:
    plain = KUBERNETES.replace("cluster = 'prod'", "plain = true")
    both = f"{plain}\ndata_key = 'a'\n{plain}\ndata_key = 'b'"
    assert len(settings(tmp_path, both).sources) == 2


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("s")
    (problem,) = problems(tmp_path, source() + "\n" + source(path="path = 'link'"))
    assert "secrets.source 1 (s) and secrets.source 2 (link) are one file" in problem


def test_a_plain_file_that_is_not_there_is_to_be_written(tmp_path: Path) -> None:
    found = settings(tmp_path, source("plain = true"))
    with pytest.raises(StoreRefused) as caught:
        found.sources[0].plain_content(found.home)
    assert str(caught.value) == "s is not there: write it, or correct its [[secrets.source]]"
    assert caught.value.__context__ is None


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    text = "[secrets]\nkeyring = '~/k'\n" + source(path="path = '~/s.sealed'")
    found = settings(tmp_path, text + "\n" + source(path="path = '~of-nobody-at-all/t'"))
    assert found.home.keyring == "/home/me/k"
    assert [each.name for each in found.sources] == ["/home/me/s.sealed", "~of-nobody-at-all/t"]
