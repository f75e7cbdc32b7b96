"""What is alive: routes, clusters and destinations, with their health and the requests that they have in flight.

A reload builds a new `Snapshot` and puts it in force whole; an exchange keeps the objects that it began with. What
must survive a reload is found again by id: destinations, a route's state, and equipment whose settings did not change.
All of it belongs to one event loop. Imports configuration, routing and errors; knows no exchange, stage or server.
"""

from hostler.fleet.clusters import LiveCluster
from hostler.fleet.destinations import LiveDestination
from hostler.fleet.health import Health, Override, Standing
from hostler.fleet.routes import LiveRoute

__all__ = ["Health", "LiveCluster", "LiveDestination", "LiveRoute", "Override", "Standing"]
