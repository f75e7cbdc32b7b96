"""xxHash64 with seed 0, which YARP names destinations by in its HashCookie.

The hash reads its input in stripes of 32 bytes, one 8-byte word a lane, folds the four lanes together, and mixes in
what is left. All arithmetic is on unsigned 64-bit integers (the xxHash fast digest algorithm, XXH64).
"""

from __future__ import annotations

from typing import Final

__all__ = ["xxh64"]

_MASK: Final = (1 << 64) - 1
_P1: Final = 0x9E3779B185EBCA87
_P2: Final = 0xC2B2AE3D27D4EB4F
_P3: Final = 0x165667B19E3779F9
_P4: Final = 0x85EBCA77C2B2AE63
_P5: Final = 0x27D4EB2F165667C5
_STRIPE: Final = 32


def xxh64(data: bytes) -> int:
    """Return the 64-bit hash of `data`."""
    stripes = len(data) // _STRIPE
    value = _lanes(data, stripes) if stripes else _P5
    value = (value + len(data)) & _MASK
    return _avalanche(_tail(value, data[stripes * _STRIPE :]))


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _lanes(data: bytes, stripes: int) -> int:
    lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
    for start in range(0, stripes * _STRIPE, _STRIPE):
        lanes = [_round(lane, _word(data, start + 8 * index)) for index, lane in enumerate(lanes)]
    value = sum(_rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
    for lane in lanes:
        value = ((value ^ _round(0, lane)) * _P1 + _P4) & _MASK
    return value


def _tail(value: int, data: bytes) -> int:
    """Mix in the last 0 to 31 bytes: as words, then as half a word, then byte by byte."""
    at = 0
    while len(data) - at >= 8:
        value = (_rotate(value ^ _round(0, _word(data, at)), 27) * _P1 + _P4) & _MASK
        at += 8
    if len(data) - at >= 4:
        half = int.from_bytes(data[at : at + 4], "little")
        value = (_rotate(value ^ (half * _P1 & _MASK), 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        value = _rotate(value ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    return value


def _avalanche(value: int) -> int:
    value = (value ^ (value >> 33)) * _P2 & _MASK
    value = (value ^ (value >> 29)) * _P3 & _MASK
    return value ^ (value >> 32)
