"""Makes a proof on Wine, without its stubs: a list of promises as arguments, the file on standard output.

`WINE_PYTHONPATH=src ~/.cache/hostler-wine/python tests/wine/programs/proof.py` makes the sample of tests/doctor/replay/.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from hostler.doctor.proof.document import about, to_json
from hostler.doctor.proof.proof import PROMISES, prove
from hostler.doctor.proof.this_machine import ThisMachine
from tests.wine.programs import wine_api
from tests.wine.programs.channel import WATCHDOG, end_after

NOT_THERE = {"two processes"}
"""Queues have no names there, so that the other process would have one of its own ("queue names" in limits.py)."""


def made():
    """Say what the proof is made with; Wine says that it is a Windows."""
    version = ctypes.WinDLL("ntdll").wine_get_version
    version.restype = ctypes.c_char_p
    return {**about(), "system": {"name": "Wine", "version": version().decode()}}


def main(names):
    """Try promises, and print the file."""
    attempts = []
    promises = [promise for promise in PROMISES if promise.name not in NOT_THERE]
    chosen = [promise for promise in promises if not names or promise.name in names]
    asyncio.run(prove(wine_api.load(), ThisMachine(), attempts.append, chosen))
    sys.stdout.write(to_json(made(), attempts))


if __name__ == "__main__":
    end_after(WATCHDOG, 98)
    main(sys.argv[1:])
