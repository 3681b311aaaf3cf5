"""Long work without a search for garbage."""

from __future__ import annotations

import gc
from contextlib import ExitStack

import pytest

from simrec.garbage import uncollected


def test_the_search_goes_on_when_the_last_that_wants_none_ends() -> None:
    """Whichever of them begins or ends first."""
    one, other = ExitStack(), ExitStack()
    one.enter_context(uncollected())
    other.enter_context(uncollected())
    one.close()
    assert not gc.isenabled()
    other.close()
    assert gc.isenabled()


def test_who_has_ended_it_before_is_obeyed() -> None:
    """A host that collects at moments of its own."""
    gc.disable()
    try:
        with pytest.raises(KeyError), uncollected():
            raise KeyError
        assert not gc.isenabled()
    finally:
        gc.enable()
