"""The rules for a cluster."""

from __future__ import annotations

import pytest

from hostler.config.model import (
    HttpClient,
    HttpRequest,
    VersionPolicy,
)
from tests.config.checks.saying import of_cluster


class TestHttp:
    def test_what_is_supported(self):
        client = HttpClient(
            dangerous_accept_any_server_certificate=True,
            max_connections_per_server=1,
            enable_multiple_http2_connections=False,
        )
        assert of_cluster(http_client=client) == {}

    def test_activity_timeout(self):
        assert "HttpRequest.ActivityTimeout" in of_cluster(http_request=HttpRequest(activity_timeout=0.0))

    def test_version_is_one_of_http(self):
        assert "HttpRequest.Version" in of_cluster(http_request=HttpRequest(version="2.0"))

    @pytest.mark.parametrize("version", ["1.1", "2", "3"])
    def test_or_lower_is_served_as_http_1_1(self, version):
        assert of_cluster(http_request=HttpRequest(version=version)) == {}

    @pytest.mark.parametrize(
        "policy", [VersionPolicy.REQUEST_VERSION_EXACT, VersionPolicy.REQUEST_VERSION_OR_HIGHER]
    )
    def test_http_2_and_3_come_later(self, policy):
        key = "HttpRequest.VersionPolicy"
        later = {key: f"not supported yet: {key}; remove it"}
        assert of_cluster(http_request=HttpRequest(version="1.1", version_policy=policy)) == {}
        assert of_cluster(http_request=HttpRequest(version="2", version_policy=policy)) == later
        assert of_cluster(http_request=HttpRequest(version="3", version_policy=policy)) == later

    def test_buffering_may_be_allowed(self):
        assert of_cluster(http_request=HttpRequest(allow_response_buffering=True)) == {}
