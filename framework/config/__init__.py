"""What a class declares that it wants to know, and where each value comes from.

``model`` is what users subclass, ``loading`` fills it for an instance; the rest is between the two.
"""

from framework.config.model import Config, Place

__all__ = ["Config", "Place"]
