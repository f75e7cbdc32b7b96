"""What a worker reports, in this process; real ones are in test_worker_process.py and end_to_end/."""

from __future__ import annotations

import multiprocessing
import signal

import pytest

from hostler.loaders import ApplicationLoader
from hostler.processes.worker import main
from hostler.server.base import ServerKind
from hostler.service import Service


@pytest.fixture
def signals():
    """Put the handlers of this process back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize(
    ("app", "why"),
    [
        ("no_such_module:app", "there is no module 'no_such_module'"),
        ("hostler.demo.apps:Answering", "Answering is a class"),
    ],
)
def test_a_worker_reports_why_it_cannot_start(app, why):
    supervisors, workers = multiprocessing.Pipe()
    with supervisors, workers:
        with pytest.raises(SystemExit) as caught:
            main(Service(loader=ApplicationLoader(app)), [], workers)
        assert caught.value.code == 1
        assert why in supervisors.recv()


@pytest.mark.usefixtures("signals")
def test_a_worker_that_cannot_have_its_server_reports_that():
    supervisors, workers = multiprocessing.Pipe()
    with supervisors, workers:
        with pytest.raises(SystemExit):
            service = Service(loader=ApplicationLoader("hostler.demo.apps:worker"), server=ServerKind.HTTPSYS)
            main(service, [], workers)
        assert supervisors.recv().startswith("HTTP.sys is part of Windows")
