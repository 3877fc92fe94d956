"""What travels between our services and pages: one ``Values`` model for each feed.

Imports nothing but ``framework``: a page must not pull in what a service needs.
"""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from framework.update import Values


class Moon(Values):
    """The Moon as seen from one place, and when Moon and Sun next cross its horizon.

    Source: computed, no network (XEphem's libastro through ephem). The horizon is the almanacs':
    sea level, the upper limb, lifted by 34' of refraction. Phase and illumination are theirs too,
    seen from the centre of the Earth, so that new and full are the same moments everywhere.
    """

    phase_deg: float = Field(ge=0, lt=360)
    """Ecliptic longitude of the Moon less the Sun's: 0 new, 90 first quarter, 180 full, 270 last
    quarter."""
    illumination: float = Field(ge=0, le=1)
    """The share of the disc that is lit."""
    tilt_deg: float = Field(ge=0, lt=360)
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
