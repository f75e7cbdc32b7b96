"""What is known of a client's connection: values that `exchange.connection` answers with."""

from __future__ import annotations

from attrs import frozen

__all__ = ["QuicStatistics", "ServerName", "TcpStatistics"]


@frozen(kw_only=True)
class ServerName:
    """The host that a client named when its connection was encrypted (RFC 6066 3; HTTP_REQUEST_PROPERTY_SNI)."""

    host: str
    """"" when the client named none."""

    chose_certificate: bool
    """The certificate was found by it, and not by the address that the client came to."""


@frozen(kw_only=True)
class TcpStatistics:
    """What TCP has counted and measured on a connection; times in seconds, sizes in bytes (TCP_INFO_v0)."""

    age: float
    """Since the connection was made."""

    round_trip: float
    min_round_trip: float
    segment_size: int
    """The largest payload of a segment (MSS)."""

    bytes_received: int
    bytes_sent: int
    bytes_in_flight: int
    """Sent, and not acknowledged yet."""

    bytes_retransmitted: int
    congestion_window: int
    send_window: int
    """What the client is ready to take."""

    receive_window: int
    fast_retransmissions: int
    timeouts: int
    """How often nothing was acknowledged in time."""

    syn_retransmissions: int


@frozen(kw_only=True)
class QuicStatistics:
    """What QUIC has counted and measured on a connection; times in seconds, sizes in bytes (QUIC_STATISTICS_V2)."""

    round_trip: float
    min_round_trip: float
    max_round_trip: float
    path_mtu: int
    resumed: bool
    """An earlier session was taken up."""

    retried: bool
    """The client had to prove its address first (RFC 9000 8.1.2)."""

    packets_sent: int
    packets_lost: int
    """Taken for lost, without those that turned out not to be."""

    bytes_sent: int
    congestion_events: int
    persistent_congestion_events: int
    packets_received: int
    packets_reordered: int
    packets_dropped: int
    bytes_received: int
    decryption_failures: int
