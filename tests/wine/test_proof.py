"""A proof (`hostler doctor --prove`) on Wine, as far as it goes, replayed against the model."""

import json
import os
import subprocess

from tests.doctor.replay.replay import replay
from tests.doctor.replay.test_replay import WINE
from tests.wine.program import PATIENCE, PROGRAMS, PYTHONPATH, windows_path, wine

KEPT = ("completions", "receive", "loop's port", "big heads", "streamed answers", "stop under load")


def test_what_wine_can_keep_is_kept_and_the_model_does_the_same():
    done = subprocess.run(
        [wine(), windows_path(PROGRAMS / "proof.py"), *KEPT],
        env={**os.environ, "WINE_PYTHONPATH": PYTHONPATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    proof = json.loads(done.stdout)
    assert {
        entry["name"]: (entry["verdict"], entry["detail"]) for entry in proof["promises"]
    } == dict.fromkeys(KEPT, ("kept", ""))
    differences = [
        difference
        for difference in replay(proof)
        if (difference.promise, difference.event.get("call") or difference.event.get("does")) not in WINE
    ]
    assert not differences, "\n".join(map(str, differences))
