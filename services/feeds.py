"""What travels between our services and pages: one ``Values`` model for each feed.

Imports nothing but ``framework``: a page must not pull in what a service needs.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, Field, FiniteFloat

from framework.update import Values


class Moon(Values):
    """The Moon as seen from one place, and when Moon and Sun next cross its horizon.

    Source: computed, no network (XEphem's libastro through ephem). The horizon is the almanacs':
    sea level, the upper limb, lifted by 34' of refraction. Phase and illumination are theirs too,
    seen from the centre of the Earth, so that new and full are the same moments everywhere.
    """

    phase_deg: float = Field(ge=0, lt=360, examples=[63])
    """Ecliptic longitude of the Moon less the Sun's: 0 new, 90 first quarter, 180 full, 270 last
    quarter."""
    illumination: float = Field(ge=0, le=1, examples=[0.27])
    """The share of the disc that is lit."""
    tilt_deg: float = Field(ge=0, lt=360, examples=[290])
    """Where the middle of the bright limb is: degrees from the top of the disc as it is seen from
    here (the zenith), anticlockwise, 0 <= x < 360. 270 is the right-hand side."""
    north_deg: float = Field(ge=0, lt=360)
    """Where the Moon's own north pole is: degrees from the top of the disc, anticlockwise."""
    moon_up: bool
    """Whether the Moon is above the horizon now: then it sets before it rises, else the reverse."""
    sun_up: bool
    """Whether the Sun is: by the same upper-limb horizon as sunrise and sunset."""
    next_new: AwareDatetime
    next_full: AwareDatetime
    sunrise: AwareDatetime | None
    """The next one, however far: above the polar circle it may be weeks away, at the poles months.
    None: not within a year."""
    sunset: AwareDatetime | None
    moonrise: AwareDatetime | None
    """The next one; not every day has one, and above the polar circle it may be weeks away."""
    moonset: AwareDatetime | None


class System(Values):
    """How a computer is doing. What it cannot tell, in a container or for want of a sensor, is
    None.

    Source: the operating system of the one that the service runs on, through psutil.
    """

    load: float | None = Field(ge=0, examples=[0.35])
    """The load average of the last minute for each CPU: 1 is all of them busy, more is a queue."""
    memory: float | None = Field(ge=0, le=1)
    """The share that is not available without swapping."""
    disk: float | None = Field(ge=0, le=1)
    """The share of the file system that is full, for whoever is not root."""
    temperature_c: float | None = Field(examples=[48])
    """Of the CPU, or where no sensor is known to be its own, the hottest there is."""
    uptime_s: float | None = Field(ge=0, examples=[1_000_000])
    received_bytes_s: float | None = Field(ge=0, examples=[1_200_000])
    """Since the fetch before, on the busiest interface: what goes through a bridge, a tunnel and a
    cable is one traffic."""
    sent_bytes_s: float | None = Field(ge=0, examples=[85_000])


ValueColour: TypeAlias = Literal["text", "amber", "sky", "green", "red", "violet"]
"""Of the panel's colours those that stand for nothing by themselves."""


class Json(Values):
    """One thing to show, whatever it is, and how to.

    Source: any JSON of the web.
    """

    label: str = Field(examples=["Living room"])
    value: FiniteFloat | str | None = Field(examples=[21.4])
    """None: the source says null."""
    unit: str = Field(examples=["°"])
    color: ValueColour
    decimals: int | None = Field(ge=0, le=9, examples=[1])
    """Of the value, if it is a number; None: as many as it has."""
    series: tuple[FiniteFloat | None, ...]
    """From the oldest to the newest, in equal steps; None is a gap. Empty: there is none."""


# Generous: what lies outside is an error of the source, and not on this Earth.
Celsius: TypeAlias = Annotated[float, Field(ge=-150, le=100)]
KmPerHour: TypeAlias = Annotated[float, Field(ge=0, le=1000)]
Degrees: TypeAlias = Annotated[float, Field(ge=0, le=360)]
Percent: TypeAlias = Annotated[float, Field(ge=0, le=110)]
"""A little above 100 is no mistake in humid air."""
WmoCode: TypeAlias = Annotated[int, Field(ge=0, le=999, examples=[2, 61, 80, 3, 0])]
"""Present weather by WMO's table 4677, of which Open-Meteo uses 28 codes; others may come."""


class AtPlace(Values):
    """What holds for one place."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    """As it was asked for: what the source computes for is a cell of a grid."""


class WeatherHour(Values):
    """What is forecast for an hour."""

    at: AwareDatetime
    """When it begins, by the place's own clocks."""
    temperature_c: Celsius | None
    code: WmoCode | None
    is_day: bool | None
    rain_percent: Percent | None
    """How probable rain, or anything else that falls, is."""


class WeatherDay(Values):
    """What is forecast for a day, from midnight to midnight at the place."""

    on: date
    high_c: Celsius | None
    low_c: Celsius | None = Field(examples=[14, 12, 13])
    code: WmoCode | None
    """The worst of the day."""


class Weather(AtPlace):
    """The weather at one place, now and to come. Anything may be unknown for once, and None.

    Source: Open-Meteo's forecast, https://open-meteo.com (CC BY 4.0): models of the weather, not a
    station at the place. Always metric: who shows it converts.
    """

    credit = "Weather data by Open-Meteo.com (CC BY 4.0)"

    observed: AwareDatetime
    """When it is so, by the place's own clocks."""
    temperature_c: Celsius | None
    feels_like_c: Celsius | None
    humidity_percent: Percent | None
    wind_kmh: KmPerHour | None
    gusts_kmh: KmPerHour | None
    wind_from_deg: Degrees | None
    """Where the wind comes from: 0 north, 90 east."""
    code: WmoCode | None
    is_day: bool | None
    hours: tuple[WeatherHour, ...] = Field(min_length=1)
    """From the current hour on."""
    days: tuple[WeatherDay, ...] = Field(min_length=1)
    """From today on."""


class AirQuality(AtPlace):
    """How bad the air is to breathe at one place.

    Source: Open-Meteo's air quality, https://open-meteo.com (CC BY 4.0), from the models of the
    Copernicus Atmosphere Monitoring Service: hourly, in cells of 11 km (Europe) or 40 km.
    """

    credit = "Air quality by Open-Meteo.com and Copernicus CAMS (CC BY 4.0)"

    observed: AwareDatetime
    us_aqi: int = Field(ge=0, le=10_000)
    """The index of the United States' EPA: up to 50 good, from 301 hazardous. It
    ends at 500, the air does not."""
    main_pollutant: Annotated[str, Field(max_length=16)] | None = Field(examples=["PM2.5"])
    """What the index is due to: PM2.5, PM10, O3, NO2, SO2 or CO."""
