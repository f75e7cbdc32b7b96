"""Every test here starts processes, with queues of its own, and a file that lets waiting requests go on."""

import pytest


@pytest.fixture(autouse=True)
def release_file(runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEASE", str(tmp_path / "release"))
