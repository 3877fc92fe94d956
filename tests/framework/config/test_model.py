"""``Config`` and ``Place``: what their constructors take."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import SecretStr, ValidationError

from framework.config import Config, Place


class TideConfig(Config):
    station: str
    token: SecretStr


def test_the_constructor_reads_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MATRIX_TIDECONFIG__STATION", "MATRIX_STATION", "STATION", "station"):
        monkeypatch.setenv(name, "from the environment")
    monkeypatch.setenv("MATRIX_UNITS", "imperial")
    with pytest.raises(ValidationError):
        TideConfig(token=SecretStr("y"))  # type: ignore[call-arg]  # that is what is tested
    assert TideConfig(station="x", token=SecretStr("y")).units == "metric"


def test_text_becomes_a_secret() -> None:
    config = TideConfig(station="x", token="y")  # type: ignore[arg-type]  # noqa: S106 - only checkers mind
    assert config.token.get_secret_value() == "y"


def test_nothing_else_is_taken_and_nothing_changes_later() -> None:
    with pytest.raises(ValidationError):
        Config(colour="red")  # type: ignore[call-arg]  # that is what is tested
    config = Config()
    with pytest.raises(ValidationError):
        config.units = "imperial"


def test_no_value_in_an_error_of_the_constructor_nor_in_a_repr() -> None:
    with pytest.raises(ValidationError) as caught:
        TideConfig.model_validate({"station": ["MARKER"], "token": "MARKER", "units": "MARKER"})
    assert "MARKER" not in str(caught.value)
    config = TideConfig(station="x", token=SecretStr("MARKER"), redis_url=SecretStr("redis://MARK"))
    assert "MARK" not in repr(config)


def test_a_time_zone_is_checked() -> None:
    assert Config(timezone="Europe/Berlin").zone.key == "Europe/Berlin"
    for wrong in ("Europe/Nowhere", "", "Europe", "../etc/passwd", "a\0b", "x" * 5000, "UTC "):
        with pytest.raises(ValidationError, match="IANA"):
            Config(timezone=wrong)


def test_a_redis_url_is_checked() -> None:
    for good in ("redis://h", "rediss://u:p@h:1/0"):
        assert Config(redis_url=SecretStr(good)).redis_url.get_secret_value() == good
    for wrong in ("localhost:6379", "unix:///run/redis.sock", "REDIS://h", ""):
        with pytest.raises(ValidationError, match="must begin with redis:// or rediss://"):
            Config(redis_url=SecretStr(wrong))


def test_a_place_is_by_default_in_the_city_of_its_time_zone() -> None:
    assert (Place().latitude, Place().longitude) == (51.4779, 0.0)
    sydney = Place(timezone="Australia/Sydney")
    assert (sydney.latitude, sydney.longitude) == (-33.8667, 151.2167)


def test_a_place_needs_both_coordinates_or_neither() -> None:
    assert Place(latitude=1.0, longitude=2.0).longitude == 2.0
    with pytest.raises(ValidationError, match="both or neither") as caught:
        Place(latitude=1.0)
    assert [each["loc"] for each in caught.value.errors()] == [("longitude",)]
    for latitude, longitude in ((90.1, 0), (-90.1, 0), (0, 180.1), (0, -180.1), (float("nan"), 0)):
        with pytest.raises(ValidationError):
            Place(latitude=latitude, longitude=longitude)


def test_loading_does_not_import_pydantic_settings() -> None:
    code = (
        "import sys; from framework.config import Place; from framework.config.loading import load;"
        "from framework.config.sources import Sources;"
        "load(Place, 'here', sources=Sources(environ={'HOME': 'x'}));"
        "sys.exit('pydantic_settings' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
