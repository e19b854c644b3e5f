from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from unfade.warning_capture import capture_warnings

PHOTO = Path("scans/a.jpg")


def test_warnings_are_heard_only_while_listened_to() -> None:
    logger = logging.getLogger("unfade.somewhere")
    before = list(logging.getLogger("unfade").handlers)
    with capture_warnings(PHOTO) as said:
        logger.warning("a %s", "b")
        logger.info("quiet")
    logger.warning("later")
    assert said == ["a b"]
    assert logging.getLogger("unfade").handlers == before
    with pytest.raises(ValueError, match="x"), capture_warnings(PHOTO):
        raise ValueError("x")
    assert logging.getLogger("unfade").handlers == before


def test_warnings_go_to_stderr_once_and_name_the_photo() -> None:
    code = (
        "import logging\nfrom pathlib import Path\n"
        "from unfade.warning_capture import capture_warnings\n"
        "log = logging.getLogger('unfade.x')\n"
        "with capture_warnings(Path('scans/a.jpg')):\n"
        "    log.warning('no profile')\n    log.warning('no profile')\n"
        "    log.warning('scans/a.jpg has no end')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "scans/a.jpg: no profile\nscans/a.jpg has no end\n"
