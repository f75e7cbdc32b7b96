"""What HttpQueryRequestProperty tells of a connection, as values: HTTP_REQUEST_PROPERTY_SNI, TCP_INFO, QUIC_STATISTICS."""

from __future__ import annotations

import struct
from typing import Final

from hostler.connection import QuicStatistics, ServerName, TcpStatistics
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import SniFlag

__all__ = ["read_quic", "read_server_name", "read_tcp"]

_QUIC: Final = struct.Struct("<8xIIII24x12xH2xQ8xQQQ8xIIQQQ8xQ8xQ")
"""QUIC_STATISTICS_V2 (msquic.h), whose fields stay where they are. The flags, Rtt, MinRtt, MaxRtt; SendPathMtu,
SendTotalPackets, what was lost of them, SendTotalBytes, both congestion counts; what is received, and could not be decrypted.
"""
_RETRIED, _RESUMED = 1 << 1, 1 << 3
_MICROSECONDS: Final = 1_000_000


def read_server_name(data: bytes) -> ServerName:
    """Read a HTTP_REQUEST_PROPERTY_SNI."""
    sni = ffi.from_buffer("HTTP_REQUEST_PROPERTY_SNI *", data)
    return ServerName(
        host="" if sni.Flags & SniFlag.NO_SNI else ffi.string(sni.Hostname),
        chose_certificate=bool(sni.Flags & SniFlag.SNI_USED),
    )


def read_tcp(data: bytes) -> TcpStatistics:
    """Read a TCP_INFO_v0, or one that begins with it."""
    info = ffi.from_buffer("TCP_INFO_v0 *", data)
    return TcpStatistics(
        age=info.ConnectionTimeMs / 1000,
        round_trip=info.RttUs / _MICROSECONDS,
        min_round_trip=info.MinRttUs / _MICROSECONDS,
        segment_size=info.Mss,
        bytes_received=info.BytesIn,
        bytes_sent=info.BytesOut,
        bytes_in_flight=info.BytesInFlight,
        bytes_retransmitted=info.BytesRetrans,
        congestion_window=info.Cwnd,
        send_window=info.SndWnd,
        receive_window=info.RcvWnd,
        fast_retransmissions=info.FastRetrans,
        timeouts=info.TimeoutEpisodes,
        syn_retransmissions=info.SynRetrans,
    )


def read_quic(data: bytes) -> QuicStatistics | None:
    """Read a QUIC_STATISTICS_V2; None for one that is too short to be that."""
    if len(data) < _QUIC.size:
        return None
    (
        flags, rtt, least, greatest, mtu, sent, suspected, spurious, bytes_sent, congestion, persistent,
        received, reordered, dropped, bytes_received, failures,
    ) = _QUIC.unpack_from(data)  # fmt: skip
    return QuicStatistics(
        round_trip=rtt / _MICROSECONDS,
        min_round_trip=least / _MICROSECONDS,
        max_round_trip=greatest / _MICROSECONDS,
        path_mtu=mtu,
        resumed=bool(flags & _RESUMED),
        retried=bool(flags & _RETRIED),
        packets_sent=sent,
        packets_lost=suspected - spurious,
        bytes_sent=bytes_sent,
        congestion_events=congestion,
        persistent_congestion_events=persistent,
        packets_received=received,
        packets_reordered=reordered,
        packets_dropped=dropped,
        bytes_received=bytes_received,
        decryption_failures=failures,
    )
