"""`hostler url`, `cert` and `doctor` on Windows CPython.

Wine's configuration functions answer and keep nothing ("machine's configuration"), so that what is shown is that the
commands find their functions, and that structures are taken.
"""

from __future__ import annotations

import json
import os
import subprocess

from tests.wine.program import PATIENCE, PYTHONPATH, wine


def hostler(*args):
    """Run the command; returns the exit status, what it printed, and what it complained about."""
    done = subprocess.run(
        [wine(), "-m", "hostler", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "WINE_PYTHONPATH": PYTHONPATH},
        timeout=PATIENCE,
        check=False,
    )
    text = done.stdout.decode().replace("\r", "")
    lines = done.stderr.decode(errors="replace").splitlines()
    return done.returncode, text, [line for line in lines if line.startswith("hostler: ")]


def test_reservations_are_made_and_removed_by_name():
    status, out, _ = hostler("url", "reserve", "http://+:8080/", "--user", "Everyone")
    assert (status, out.splitlines()[0]) == (0, "reserved http://+:8080/ for Everyone")
    assert hostler("url", "list") == (0, "", [])
    assert hostler("url", "remove", "http://+:8080/")[0] == 0
    status, _, complaints = hostler("url", "reserve", "http://+:8080/", "--user", "nobody-of-that-name")
    assert status == 1
    assert "'nobody-of-that-name' is no user and no group here" in complaints[0]


def test_certificates_are_bound_and_removed():
    for endpoint in ("0.0.0.0:8443", "[::]:8443", "example.com:8443"):
        assert hostler("cert", "bind", endpoint, "00" * 20)[0] == 0
        assert hostler("cert", "remove", endpoint)[0] == 0
    assert hostler("cert", "list") == (0, "", [])


def test_the_doctor_finds_what_this_windows_has():
    _, out, _ = hostler("doctor", "--json")
    found = {finding["what"]: finding["verdict"] for finding in json.loads(out)["findings"]}
    assert found["completions of HTTP.sys"] == "ok"
    assert found["delegation"] == "missing"
    assert found["URL reservations"] == "ok"
