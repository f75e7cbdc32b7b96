"""Documents of the tests, and what is said about them."""

from __future__ import annotations

import pytest

from hostler.config import yarp
from hostler.errors import ConfigError

SHOP = """
{
  // what ASP.NET reads itself
  "Logging": { "LogLevel": { "Default": "Information" } },
  "AllowedHosts": "*",
  "Urls": "http://localhost:5000; http://*:8080/;",
  "ReverseProxy": {
    "Routes": {
      "orders": {
        "ClusterId": "orders",
        "Order": 10,
        "Match": { "Path": "/orders/{id:int}/{**rest}", "Methods": [ "GET", "POST" ] },
        "Metadata": { "team": "checkout", "tier": 1, "beta": true },
      },
      "images": {
        "ClusterId": "images",
        "Match": { "Hosts": [ "img.example.com", "*.img.example.com:8080" ] }
      },
      "admin": { "ClusterId": "admin", "Match": { "Path": "/admin/{**rest}" }, "MaxRequestBodySize": -1 }
    },
    "Clusters": {
      "orders": {
        "LoadBalancingPolicy": "LeastRequests",
        "SessionAffinity": {
          "Enabled": true,
          "AffinityKeyName": "shop.affinity",
          "Cookie": { "SameSite": "Lax", "SecurePolicy": "SameAsRequest", "MaxAge": "1.00:00:00" }
        },
        "HealthCheck": {
          "Passive": { "Enabled": "True", "ReactivationPeriod": "00:02:00" } /* no active one */
        },
        "Destinations": {
          "blue": { "Address": "http://10.0.0.1:8080/" },
          "green": { "Address": "http://10.0.0.2:8080/", "Host": "orders.internal" }
        },
        "Metadata": { "TransportFailureRateHealthPolicy.RateLimit": "0.5" }
      },
      "images": {
        "HttpClient": { "MaxConnectionsPerServer": "64", "DangerousAcceptAnyServerCertificate": true },
        "HttpRequest": { "ActivityTimeout": "00:00:30", "Version": "1.1", "VersionPolicy": "requestversionexact" },
        "Destinations": { "only": { "Address": "https://images.internal/" } }
      },
      "admin": {}
    }
  }
}
"""

DELEGATING = """
{
  "ReverseProxy": {
    "Routes": {
      "reports": { "ClusterId": "mixed", "Match": { "Path": "/reports/{**rest}" } }
    },
    "Clusters": {
      "mixed": {
        "Destinations": {
          "queue": {
            "Address": "http://*:80/reports/",
            "Metadata": { "HttpSysDelegationQueue": "ReportsQueue" }
          },
          "proxied": { "Address": "http://10.0.0.9:80/" }
        }
      }
    }
  }
}
"""


def section(routes=None, clusters=None):
    return {"ReverseProxy": {"Routes": routes or {}, "Clusters": clusters or {}}}


def load_route(route):
    return yarp.load(section({"r": route})).routes[0]


def load_cluster(cluster):
    return yarp.load(section(clusters={"c": cluster})).clusters[0]


def refused(document):
    """What is said about a document that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        yarp.load(document)
    return [str(problem) for problem in caught.value.problems]
