"""The servers that the behaviour suite runs against."""

from __future__ import annotations

import os

from tests.server.contract.fake import FAKES
from tests.server.contract.usermode import UserMode, UserModeTls
from tests.server.contract.wine import Wine

WRAPPER = os.environ.get("HOSTLER_WINE")
"""What runs Windows CPython on Wine; `tools/wine-python.sh` makes one."""

BACKENDS = (UserMode(), UserModeTls(), *FAKES, *([Wine(WRAPPER)] if WRAPPER else []))
"""All of them; Wine's where there is one."""
