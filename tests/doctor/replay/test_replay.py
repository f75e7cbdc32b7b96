"""Proofs are replayed call by call: those from Windows must agree with the model, and what was doctored must not."""

import copy
import json
from pathlib import Path

import pytest

from hostler.doctor.proof.document import FORMAT
from tests.doctor.replay.replay import replay
from tests.wine.limits import WINE_LIMITS

HERE = Path(__file__).parent
PROOFS = sorted((HERE / "proofs").glob("*.json"))
AGAIN = """the model was corrected since its sample was made; when it is right, make the sample again:
python -m tests.doctor.proof.on_model > tests/doctor/replay/samples/model.json"""


def read(name):
    return json.loads((HERE / "samples" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made_on_the_model():
    return read("model")


def shown(differences):
    return "\n".join(map(str, differences))


# -- what is replayed -------------------------------------------------------------------------------------------------


def test_the_model_does_what_windows_did():
    for path in PROOFS:
        differences = replay(json.loads(path.read_text(encoding="utf-8")))
        assert not differences, f"{path}\n{shown(differences)}"


def test_the_model_does_what_it_did(made_on_the_model):
    assert made_on_the_model["made"]["system"] == {"name": "the model of hostler's tests"}
    differences = replay(made_on_the_model)
    assert not differences, f"{AGAIN}\n{shown(differences)}"


WINE = {
    ("completions", "hear"): "Content-Length: 0 in a 204",
    ("upload", "CancelIoEx"): "large request body",
    ("upload", "packet"): "large request body",
    ("streamed answers", "HttpWaitForDisconnectEx"): "disconnect notice",
    ("disconnects", "HttpWaitForDisconnectEx"): "disconnect notice",
    ("disconnects", "HttpCancelHttpRequest"): "request cancel",
    ("upgrade", "HttpWaitForDisconnectEx"): "disconnect notice",
    ("upgrade", "HttpReceiveRequestEntityBody"): "upgrades",
    ("cache", "packet"): "response cache",
    ("cache", "HttpSendHttpResponse"): "response cache",
    ("cache", "hear"): "response cache",
    ("demand start", "HttpWaitForDemandStart"): "demand start",
}
"""Where the model does not do what Wine did, and the limit of Wine that it is (tests/wine/limits.py)."""


def test_wine_differs_from_the_model_where_it_is_known_to():
    proof = read("wine")
    assert proof["made"]["system"]["name"] == "Wine"
    found = {
        (entry.promise, entry.event.get("call") or entry.event.get("does") or "packet")
        for entry in replay(proof)
    }
    assert found == WINE.keys()
    assert set(WINE.values()) - {"Content-Length: 0 in a 204"} <= WINE_LIMITS.keys()


@pytest.mark.parametrize("name", ["model", "wine"])
def test_samples_are_of_this_format(name):
    proof = read(name)
    assert proof["format"] == FORMAT
    assert {promise["verdict"] for promise in proof["promises"]} <= {"kept", "broken", "not tried"}


# -- what was doctored ------------------------------------------------------------------------------------------------


def doctored(proof, promise, change, **condition):
    """Return the proof with one promise, and its first event of a kind changed."""
    (entry,) = (copy.deepcopy(entry) for entry in proof["promises"] if entry["name"] == promise)
    event = next(event for event in entry["events"] if condition.items() <= event.items())
    event.update(change)
    return {**proof, "promises": [entry]}, event


@pytest.mark.parametrize(
    ("promise", "condition", "change", "said"),
    [
        (
            "delegation",
            {"call": "HttpDelegateRequestEx"},
            {"returned": 87},
            "HttpDelegateRequestEx: recorded ended with 87, the model ended with 0",
        ),
        (
            "demand start",
            {"call": "HttpWaitForDemandStart"},
            {"returned": 50},
            "HttpWaitForDemandStart: recorded ended with 50, the model",
        ),
        (
            "completions",
            {"code": 234},
            {"code": 122},
            "packet: recorded ended with 122, the model ended with 234",
        ),
        (
            "completions",
            {"call": "HttpReceiveHttpRequest", "returned": 997},
            {"returned": 0, "received": {"request": "0x1"}},
            "HttpReceiveHttpRequest: recorded returned 0 at once, the model pending",
        ),
        (
            "receive",
            {"does": "hear"},
            {"data": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
            "client 1: recorded [b'HTTP/1.1 200 OK', b'connection: close'], the model",
        ),
    ],
)
def test_what_was_doctored_is_found(made_on_the_model, promise, condition, change, said):
    proof, event = doctored(made_on_the_model, promise, change, **condition)
    differences = replay(proof)
    assert f"{promise}, {event['process']} {event['id']}, {said}" in shown(differences)


def test_a_packet_after_a_call_that_was_over_at_once_is_found(made_on_the_model):
    proof, event = doctored(made_on_the_model, "completions", {}, call="HttpReceiveHttpRequest", returned=234)
    events = proof["promises"][0]["events"]
    packet = {"process": "here", "id": 999, "at": 9, "packet": event["id"], "code": 234, "length": 5000}
    events.insert(events.index(event) + 1, packet)
    assert "recorded a packet after 234 at once, the model sends none" in shown(replay(proof))


def answers(proof):
    """Go through everything that Windows answers, each changed: the promise, the number of the event, the change."""
    for promise in proof["promises"]:
        for at, event in enumerate(promise["events"]):
            if event.get("returned", 997) != 997:
                yield promise, at, {"returned": 87 if event["returned"] == 0 else 0}
            if "code" in event:
                yield promise, at, {"code": 87}
            if "data" in event and event["does"] == "hear":
                yield promise, at, {"data": "something else"}
            if event.get("does") == "answered":
                yield promise, at, {"trailers": [["x-proof", "else"]]}
            if "flags" in event.get("received", ()):
                yield promise, at, {"received": {**event["received"], "flags": 0x80}}


@pytest.mark.timeout(60)  # hundreds of replays
def test_whatever_is_changed_is_found(made_on_the_model):
    small = [promise for promise in made_on_the_model["promises"] if len(promise["events"]) < 100]
    unnoticed = []
    for promise, at, change in answers({"promises": small}):
        events = list(promise["events"])
        events[at] = {**events[at], **change}
        if not replay({**made_on_the_model, "promises": [{**promise, "events": events}]}):
            unnoticed.append((promise["name"], events[at]))
    assert unnoticed == []


def test_a_proof_of_an_older_windows_is_replayed_on_an_older_model(made_on_the_model):
    made = {**made_on_the_model["made"], "system": {"name": "Windows", "CurrentBuild": "14393"}}
    entries = [entry for entry in made_on_the_model["promises"] if entry["name"] == "delegation"]
    differences = replay({**made_on_the_model, "made": made, "promises": entries})
    assert "HttpDelegateRequestEx: recorded a function, the model has none of this name" in shown(differences)


def test_samples_name_nobody():
    for path in (*PROOFS, *(HERE / "samples").glob("*.json")):
        text = path.read_text(encoding="utf-8")
        assert "\\Users\\" not in text
        assert "/home/" not in text
