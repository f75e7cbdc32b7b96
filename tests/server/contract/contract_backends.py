"""The servers that the behaviour suite runs against."""

from __future__ import annotations

import os

from contract_fake import FAKES
from contract_usermode import UserMode
from contract_wine import Wine

WRAPPER = os.environ.get("HOSTLER_WINE")
"""What runs Windows CPython on Wine; `tools/wine-python.sh` makes one."""

BACKENDS = (UserMode(), *FAKES, *([Wine(WRAPPER)] if WRAPPER else []))
"""All of them; Wine's where there is one."""
