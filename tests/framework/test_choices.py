"""How a name is refused that is none of a few."""

from __future__ import annotations

import pytest

from framework.colours import COLOURS, rgb


def test_nothing_is_called_near_that_is_not() -> None:
    """Or it would be the colour that marks what is late."""
    with pytest.raises(ValueError, match=r"^there is no colour 'blue'; all are: ") as refused:
        rgb("blue")
    assert str(refused.value).endswith(f": {', '.join(COLOURS)}")
