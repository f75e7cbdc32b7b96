"""The rules for metadata."""

from __future__ import annotations

import pytest

from tests.config.checks.saying import of_cluster, of_destination


class TestMetadata:
    @pytest.mark.parametrize("rate", ["0", "1", "0.3", "1e-2"])
    def test_failure_rate(self, rate):
        assert of_cluster(metadata={"TransportFailureRateHealthPolicy.RateLimit": rate}) == {}

    @pytest.mark.parametrize("rate", ["", "1.1", "-0.1", "nan", "half", "0,3"])
    def test_not_a_failure_rate(self, rate):
        key = "TransportFailureRateHealthPolicy.RateLimit"
        assert "from 0 to 1" in of_cluster(metadata={key: rate})[f"Metadata.{key}"]

    def test_failure_threshold(self):
        key = "ConsecutiveFailuresHealthPolicy.Threshold"
        assert of_cluster(metadata={key: "3"}) == {}
        assert (
            "whole number of failed probes, 1 or more" in of_cluster(metadata={key: "0"})[f"Metadata.{key}"]
        )

    @pytest.mark.parametrize("name", ["", "a/b", "x" * 261])
    def test_queue_names(self, name):
        said = of_destination("http://*:80/", metadata={"HttpSysDelegationQueue": name})
        assert list(said) == ["Metadata.HttpSysDelegationQueue"]

    def test_a_known_key_in_another_case_would_have_no_effect(self):
        assert of_destination(metadata={"httpSysDelegationQueue": "reports"}) == {
            "Metadata.httpSysDelegationQueue": '"httpSysDelegationQueue" has no effect in this spelling (metadata keys are case-sensitive); '
            "write HttpSysDelegationQueue"
        }
