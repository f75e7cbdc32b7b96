"""In which line a problem is."""

from __future__ import annotations

import pytest

from hostler.config.places import Origin, locate, read_json_places
from hostler.errors import Problem

DOCUMENT = """{ // one
  "Urls": "a:b",
  "ReverseProxy:Clusters:x": {"Destinations": {
    "http://10.0.0.1:80/": {
      "Address": "{\\"[,"
    }}},
  "ReverseProxy": {
    /* a comment
       of two lines: { */
    "Routes": {
      "a.b": {"Match": {
         "Hosts": [ 1, "x",
           {"k": true},
           null ]}},
      "a": {"Match:Path":
         "/"}
    }
  }
}
"""


FILE = Origin("a.json", lambda: read_json_places(DOCUMENT))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("Urls", 2),
        ("urls", 2),
        ("Clusters.x", 3),
        ("Clusters.x.Destinations.http://10.0.0.1:80/.Address", 5),
        ("Clusters.x.Destinations.http://10.0.0.1:80/.Missing", 4),
        ("ReverseProxy", 7),
        ("Routes.a.b.Match.Hosts[1]", 12),
        ("Routes.a.b.Match.Hosts[2].k", 13),
        ("Routes.a.b.Match.Hosts[3]", 14),
        ("Routes.a.Match.Path", 15),
        ("Routes.a.Match.Methods", 15),
        ("", None),
        ("Nowhere", None),
    ],
)
def test_places(path, line):
    [problem] = locate([Problem(path, "wrong")], [FILE])
    assert (problem.source, problem.line) == ("a.json", line)


def test_problems_are_in_the_documents_order():
    placed = locate([Problem(path, "") for path in ("Routes.a", "", "Urls", "Routes.a.b")], [FILE])
    assert [problem.path for problem in placed] == ["", "Urls", "Routes.a.b", "Routes.a"]
