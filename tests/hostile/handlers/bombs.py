"""A small body that unpacks to 10 GiB: one gzip member with a valid checksum, built without unpacking it here."""

from __future__ import annotations

import functools
import struct
import zlib

from tests.hostile.exchange import Exchange

UNPACKED_BYTES = 10 << 30
_BLOCK_BYTES = 16 << 20
_BLOCKS = UNPACKED_BYTES // _BLOCK_BYTES
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_DEFLATE_END = b"\x03\x00"


async def video(exchange: Exchange) -> None:
    """Starts like the valid video, in a file whose last box extends to the end."""
    await _bomb(exchange, exchange.video + b"\x00\x00\x00\x00mdat", "video/mp4")


async def page(exchange: Exchange) -> None:
    start = b"<!doctype html><html><head><title>A short page</title></head><body>"
    await _bomb(exchange, start, "text/html; charset=utf-8")


async def _bomb(exchange: Exchange, start: bytes, type_: str) -> None:
    """Sends `start` and then 10 GiB of zeros. The Content-Length is honest: that of the packed bytes."""
    checksum = crc32_with_zeros(zlib.crc32(start), UNPACKED_BYTES)
    size = (len(start) + UNPACKED_BYTES) % 2**32
    head = _GZIP_HEAD + _deflated(start)
    tail = _DEFLATE_END + struct.pack("<II", checksum, size)
    length = len(head) + _BLOCKS * len(_zeros()) + len(tail)
    await exchange.head(200, type_, ("Content-Encoding", "gzip"), length=length)
    await exchange.body(head)
    for _ in range(_BLOCKS):
        if not await exchange.body(_zeros()):
            return
    await exchange.body(tail)


@functools.cache
def _zeros() -> bytes:
    return _deflated(bytes(_BLOCK_BYTES))


def _deflated(data: bytes) -> bytes:
    """Returns whole bytes that refer to nothing before them, so that they may be repeated within a deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


def crc32_with_zeros(checksum: int, zeros: int) -> int:
    """Returns the CRC-32 of data with so many zero bytes after it, computed from the CRC-32 of the data.

    A zero byte changes the register linearly over GF(2), so 2^k of them are a 32x32 matrix squared k times
    (crc32_combine of zlib).
    """
    register = checksum ^ 0xFFFFFFFF
    matrix = [zlib.crc32(b"\x00", 1 << bit ^ 0xFFFFFFFF) ^ 0xFFFFFFFF for bit in range(32)]
    while zeros:
        if zeros & 1:
            register = _times(matrix, register)
        matrix = [_times(matrix, column) for column in matrix]
        zeros >>= 1
    return register ^ 0xFFFFFFFF


def _times(matrix: list[int], vector: int) -> int:
    product = 0
    for bit, column in enumerate(matrix):
        if vector >> bit & 1:
            product ^= column
    return product


ROUTES = {"/gzip-bomb.mp4": video, "/gzip-bomb.html": page}
