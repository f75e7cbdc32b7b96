"""Files of certificates that clusters name: in a document, from where that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

if TYPE_CHECKING:
    from pathlib import Path

    from hostler.config.model import Cluster, Config

__all__ = ["beside_document"]


def beside_document(config: Config, directory: Path) -> Config:
    """Return a configuration whose clusters' files are found from where the program is, not from a directory."""
    clusters = config.clusters
    if all(_names_no_file(cluster) for cluster in clusters):
        return config
    return evolve(config, clusters=[_beside(cluster, directory) for cluster in clusters])


def _names_no_file(cluster: Cluster) -> bool:
    client = cluster.http_client
    return client.client_certificate is None and client.certificate_authority is None


def _beside(cluster: Cluster, directory: Path) -> Cluster:
    if _names_no_file(cluster):
        return cluster
    client, own = cluster.http_client, cluster.http_client.client_certificate
    if own is not None:
        key_path = None if own.key_path is None else str(directory / own.key_path)
        own = evolve(own, path=str(directory / own.path), key_path=key_path)
    authority = client.certificate_authority
    if authority is not None:
        authority = str(directory / authority)
    client = evolve(client, client_certificate=own, certificate_authority=authority)
    return evolve(cluster, http_client=client)
