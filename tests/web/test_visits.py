from __future__ import annotations

from unfade.web.session import Session
from unfade.web.visits import Visits

KEY = "0123456789abcdef" * 2


def test_session_is_found_until_nobody_used_it_for_long() -> None:
    visits, session = Visits(keep_s=10), Session(used_s=100)
    visits.keep(KEY, session)
    assert visits.find(KEY, 105) is session
    assert visits.find("f" * 32, 105) is None
    session.used_s = 108
    assert visits.find(KEY, 117) is session
    assert visits.find(KEY, 119) is None
    assert visits.find(KEY, 117) is None  # it is gone, not hidden


def test_key_that_no_page_makes_is_not_kept() -> None:
    visits = Visits(keep_s=10)
    for key in ("", "short", KEY.upper(), KEY + "0", KEY[:-1] + "\n"):
        visits.keep(key, Session())
        assert visits.find(key) is None
