from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from unfade.cli.heard import warnings_heard


def test_warnings_are_heard_only_while_listened_to() -> None:
    logger = logging.getLogger("unfade.somewhere")
    before = list(logging.getLogger("unfade").handlers)
    with warnings_heard() as said:
        logger.warning("a %s", "b")
        logger.info("quiet")
    logger.warning("later")
    assert said == ["a b"]
    assert logging.getLogger("unfade").handlers == before


def test_listening_ends_with_an_error() -> None:
    before = list(logging.getLogger("unfade").handlers)
    with pytest.raises(ValueError, match="x"), warnings_heard():
        raise ValueError("x")
    assert logging.getLogger("unfade").handlers == before


def test_warnings_still_go_to_stderr() -> None:
    code = (
        "import logging\nfrom unfade.cli.heard import warnings_heard\n"
        "with warnings_heard():\n    logging.getLogger('unfade.x').warning('heard')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "heard\n"
