"""What documents and their layers come to, as it is shown."""

from __future__ import annotations

import json

import pytest

from hostler.config import yarp
from hostler.config.effective import write_effective
from hostler.config.environment import Environment
from hostler.config.jsonc import read_json
from hostler.config.source import FileSource, file_sources


def shown(document):
    return json.loads(write_effective([yarp.Parsed(document)]))


def test_the_sections_that_are_read():
    document = {
        "Logging": {"LogLevel": "x"},
        "ReverseProxy:Routes": {"a:b": {"Match:Path": "/"}},
        "urls": "http://a/",
        "ReverseProxy": {
            "Clusters": {"c": {"Metadata": {"k:l": "v"}, "Destinations": {"http://a:1/": None}}}
        },
        "Policies": {"Timeouts": {"a:b": {}}},
    }
    assert shown(document) == {
        "urls": "http://a/",
        "Policies": {"Timeouts": {"a:b": {}}},
        "ReverseProxy": {
            "Routes": {"a:b": {"Match": {"Path": "/"}}},
            "Clusters": {"c": {"Metadata": {"k:l": "v"}, "Destinations": {"http://a:1/": None}}},
        },
    }
    assert shown({}) == {}
    assert shown([1]) == {}


def test_what_is_shown_is_read_as_the_same(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '{"Urls": "http://a/", "ReverseProxy": {"Routes": {"r": {"ClusterId": "c", "Match": {"Path": "/é", "Methods": ["GET"]}}}}}'
    )
    variables = {
        "ReverseProxy__Routes__R__Match__Methods__4": "PUT",
        "ReverseProxy__Clusters__c__Metadata__a": "1",
    }
    source = FileSource(path, Environment.of(None, variables))
    text = write_effective([source.parse()[0]], with_origins=True)
    assert yarp.loads(text) == source.read().config


def test_where_each_value_comes_from(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '{"ReverseProxy": {"Routes": {\n"r": {\n"ClusterId": "c",\n"Order": 1,\n"Match": {"Methods": ["GET", "PUT"]}}}}}'
    )
    over = tmp_path / "a.Production.json"
    over.write_text('{"ReverseProxy": {"Routes": {"R": {\n"order": 2,\n"Match": {"Methods": [\n"POST"]}}}}}')
    variables = {"ReverseProxy__Routes__r__Match__Methods__7": "HEAD"}
    source = FileSource(path, Environment.of(None, variables))
    text = write_effective([source.parse()[0]], with_origins=True)
    said = [line.strip().replace(str(tmp_path), "") for line in text.splitlines() if "//" in line]
    assert said == [
        '"ClusterId": "c",  // /a.json:3',
        '"Order": 2,  // /a.Production.json:2',
        '"0": "POST",  // /a.Production.json:4',
        '"1": "PUT",  // /a.json:5',
        '"7": "HEAD"  // ReverseProxy__Routes__r__Match__Methods__7',
    ]
    assert read_json(text)[1] == []


def test_several_documents_are_one(tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text('{"Urls": "http://a/", "ReverseProxy": {"Clusters": {"a": {}}}}')
    second.write_text('{"Urls": "http://b/", "reverseproxy": {"Clusters": {"b": {}}}}')
    parsed = [source.parse()[0] for source in file_sources([first, second])]
    assert json.loads(write_effective(parsed)) == {
        "Urls": "http://a/;http://b/",
        "ReverseProxy": {"Clusters": {"a": {}, "b": {}}},
    }


@pytest.mark.parametrize(
    ("where", "value", "is_shown"),
    [
        (["Clusters", "c", "HttpClient", "WebProxy", "Address"], "http://me:secret@proxy:1/", "http://***@proxy:1/"),
        (["Routes", "r", "Transforms", 0], {"RequestHeader": "Authorization", "Set": "Basic secret"}, {"RequestHeader": "Authorization", "Set": "***"}),
        (["Routes", "r", "Transforms", 0], {"requestheader": "X-Api-Key", "append": "secret"}, {"requestheader": "X-Api-Key", "append": "***"}),
        (["Routes", "r", "Transforms", 0], {"RequestHeader": "X-Tenant", "Set": "red"}, {"RequestHeader": "X-Tenant", "Set": "red"}),
    ],
)  # fmt: skip
def test_secrets_are_hidden(where, value, is_shown):
    def within(leaf):
        for step in reversed(where):
            leaf = [leaf] if step == 0 else {step: leaf}
        return {"ReverseProxy": leaf}

    assert shown(within(value)) == within(is_shown)


def test_what_the_model_marks_is_hidden():
    policies = {
        "Authorization": {
            "people": {"basic": {"USERS": {"joe": "$argon2id$secret"}}, "Realm": "shop"},
            "programs": {"ApiKey": {"Keys": {"batch": "secret", "none": None}}},
            "odd": {"ApiKey": {"Keys": ["secret"]}},
        }
    }
    assert shown({"Policies": policies}) == {
        "Policies": {
            "Authorization": {
                "people": {"basic": {"USERS": {"joe": "***"}}, "Realm": "shop"},
                "programs": {"ApiKey": {"Keys": {"batch": "***", "none": None}}},
                "odd": {"ApiKey": {"Keys": ["***"]}},
            }
        }
    }
