"""How bad the air is to breathe at one place, from Open-Meteo: no key, for non-commercial use.

What travels is ``services.feeds.AirQuality``; what an index is called is left to the pages.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from framework import Place, ServerBase, Unavailable
from services.feeds import AirQuality
from services.openmeteo import Row, Table, place_params

URL = "https://air-quality-api.open-meteo.com/v1/air-quality"
POLLUTANTS = {
    "us_aqi_pm2_5": "PM2.5",
    "us_aqi_pm10": "PM10",
    "us_aqi_ozone": "O3",
    "us_aqi_nitrogen_dioxide": "NO2",
    "us_aqi_sulphur_dioxide": "SO2",
    "us_aqi_carbon_monoxide": "CO",
}
"""What the index of each is called there: the whole index is the worst of them."""
STEP = timedelta(hours=1)

_Index = Annotated[float, Field(ge=0, le=10_000)]


class _Current(Row):
    us_aqi: _Index | None


class _Hour(Row):
    us_aqi_pm2_5: _Index | None
    us_aqi_pm10: _Index | None
    us_aqi_ozone: _Index | None
    us_aqi_nitrogen_dioxide: _Index | None
    us_aqi_sulphur_dioxide: _Index | None
    us_aqi_carbon_monoxide: _Index | None


class Air(BaseModel):
    """An answer, as far as we asked."""

    current: _Current
    hourly: Annotated[Table[_Hour], Field(max_length=48)]


PARAMS = {
    "current": "us_aqi",
    "hourly": ",".join(POLLUTANTS),
    "forecast_days": 1,
}


class AirQualityServer(ServerBase[AirQuality, Place]):
    """The air quality index for one place, and which pollutant it is due to."""

    period = STEP

    async def fetch(self) -> AirQuality:
        reply = await self.http.get(URL, params={**place_params(self.config), **PARAMS})
        return air_quality(reply.model(Air), self.config)

    def observed(self, values: AirQuality) -> datetime:
        return values.observed

    def next_update(self, values: AirQuality) -> datetime:
        return values.observed + STEP


def air_quality(air: Air, place: Place) -> AirQuality:
    """What the service publishes of an answer.

    :raises Unavailable: there is no index for now.
    """
    now = air.current
    if now.us_aqi is None:
        raise Unavailable("Open-Meteo has no air quality index for this place and hour")
    hour = next((each for each in air.hourly if each.time <= now.time < each.time + STEP), None)
    known = hour.model_dump(exclude_none=True) if hour else {}
    indices = {POLLUTANTS[name]: known[name] for name in POLLUTANTS if name in known}
    return AirQuality(
        latitude=place.latitude,
        longitude=place.longitude,
        observed=now.time,
        us_aqi=round(now.us_aqi),
        main_pollutant=max(indices, key=indices.__getitem__, default=None),
    )


if __name__ == "__main__":
    AirQualityServer.run()
