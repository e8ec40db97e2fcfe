"""Encodings of bodies, as services and what stands before them send them, rightly and wrongly."""

import zlib


class Zlib:
    """gzip, deflate, and the deflate without a frame that some send under that name."""

    def __init__(self, window_bits):
        self.packer = zlib.compressobj(wbits=window_bits)

    def push(self, data):
        return self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self):
        return self.packer.flush()


class Brotli:
    """RFC 7932 by its uncompressed blocks alone."""

    BLOCK = 1 << 16

    def __init__(self):
        self.begun = False

    def push(self, data):
        packed = b""
        for at in range(0, len(data), self.BLOCK):
            block = data[at : at + self.BLOCK]
            # Not the last block, four nibbles of length, uncompressed; before the first a window of 64 KiB.
            head = (len(block) - 1) << 3 | 1 << 19
            packed += (head if self.begun else head << 1).to_bytes(3, "little") + block
            self.begun = True
        return packed

    def end(self):
        return b"\x03" if self.begun else b"\x06"


class Zstd:
    """RFC 8878 by its raw blocks alone."""

    BLOCK = 1 << 16

    def __init__(self):
        self.head = b"\x28\xb5\x2f\xfd\x00\x48"

    def push(self, data):
        packed, self.head = self.head, b""
        for at in range(0, len(data), self.BLOCK):
            block = data[at : at + self.BLOCK]
            packed += (len(block) << 3).to_bytes(3, "little") + block
        return packed

    def end(self):
        return self.head + b"\x01\x00\x00"


class Both:
    """One encoding around another."""

    def __init__(self, inner, outer):
        self.inner, self.outer = inner, outer

    def push(self, data):
        return self.outer.push(self.inner.push(data))

    def end(self):
        return self.outer.push(self.inner.end()) + self.outer.end()


class Plain:
    def push(self, data):
        return data

    def end(self):
        return b""


class Corrupt:
    """Gzip whose bytes turn into others behind its head."""

    def __init__(self):
        self.good = Zlib(31)
        self.sent = 0

    def push(self, data):
        packed = self.good.push(data)
        begin = max(0, 10 - self.sent)
        self.sent += len(packed)
        return packed[:begin] + bytes(byte ^ 0xFF for byte in packed[begin:])

    def end(self):
        return b""


class Cut(Zlib):
    """Gzip without its end: the last block and the sums are missing."""

    def __init__(self):
        super().__init__(31)

    def end(self):
        return b""


# What stands in the header, and what the body is.
ENCODINGS = {
    "gzip": ("gzip", lambda: Zlib(31)),
    "gzip-named-x": ("x-gzip", lambda: Zlib(31)),
    "gzip-in-capitals": ("GZIP", lambda: Zlib(31)),
    "deflate": ("deflate", lambda: Zlib(15)),
    "deflate-raw": ("deflate", lambda: Zlib(-15)),
    "br": ("br", Brotli),
    "zstd": ("zstd", Zstd),
    "identity": ("identity", Plain),
    "gzip-gzip": ("gzip, gzip", lambda: Both(Zlib(31), Zlib(31))),
    "deflate-gzip": ("deflate, gzip", lambda: Both(Zlib(15), Zlib(31))),
    "gzip-identity": ("gzip, identity", lambda: Zlib(31)),
    "gzip-corrupt": ("gzip", Corrupt),
    "gzip-cut": ("gzip", Cut),
    "gzip-untrue": ("gzip", Plain),
    "deflate-untrue": ("deflate", Plain),
    "encoding-unknown": ("snappy", Plain),
    "encoding-unknown-around": ("gzip, aws-chunked", lambda: Zlib(31)),
}
