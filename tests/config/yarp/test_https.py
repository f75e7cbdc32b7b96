"""The sections `HttpsRedirection` and `Hsts`."""

from __future__ import annotations

import pytest

from hostler import Hsts, HttpsRedirection
from hostler.config.model import Config
from hostler.config.yarp import dump, load
from tests.config.yarp.documents import refused


def test_the_sections_are_read_and_written():
    config = load(
        {
            "httpsRedirection": {"HttpsPort": "8443", "RedirectStatusCode": 308},
            "Hsts": {"MaxAge": "365.00:00:00", "IncludeSubDomains": True, "ExcludedHosts": ["shop.test"]},
        }
    )
    assert config == Config(
        https_redirection=HttpsRedirection(https_port=8443, redirect_status_code=308),
        hsts=Hsts(max_age=31536000, include_sub_domains=True, excluded_hosts=("shop.test",)),
    )
    assert load(dump(config)) == config


def test_one_key_is_enough():
    config = load({"HttpsRedirection": {"Enabled": True}, "Hsts": {"Enabled": "false"}})
    assert config == Config(https_redirection=HttpsRedirection(), hsts=Hsts(active=False))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"HttpsRedirection": {"Port": 443}},
            'HttpsRedirection.Port: unknown key "Port"; did you mean HttpsPort?',
        ),
        (
            {"HttpsRedirection": {"RedirectStatusCode": 303}},
            "HttpsRedirection: RedirectStatusCode: 303 is not a status of a redirection; give one of 301, 302, 307, 308",
        ),
        (
            {"Hsts": {"MaxAge": "-1"}},
            "Hsts: MaxAge: -86400.0 is not a whole number of seconds; give 0 or more",
        ),
        ({"Hst": {}}, 'Hst: unknown section "Hst"; did you mean Hsts?'),
    ],
)
def test_what_cannot_be_read(document, message):
    assert refused(document) == [message]
