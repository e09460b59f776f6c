"""Coverage-guided fuzzing of the weight readers: `python tests/fuzz/fuzz_readers.py [libFuzzer options] [CORPUS]`.

Needs atheris (`pip install atheris`), which is not a dependency. The first byte of an input chooses the reader, or the
variable `FUZZ_READER` (`gguf`) does for all; `tests/fuzz/seeds.py` writes good files to begin with.
Anything but a listing or a `ReaderError` is a crash; libFuzzer's own options bound time and memory, for instance
`-max_total_time=120 -rss_limit_mb=512 -timeout=10`.
"""

from __future__ import annotations

import os
import sys

import atheris

with atheris.instrument_imports(include=["clustering"]):
    from clustering.errors import ReaderError
    from clustering.quantization.logical import logical
    from clustering.readers.limits import Limits
    from clustering.readers.local import Buffer
    from clustering.readers.registry import READERS

LIMITS = Limits(operations=50_000, scan_bytes=2_000_000, header_bytes=500_000, tensors=5_000, entries=5_000)
CHOSEN = [reader for reader in READERS if reader.format == os.environ.get("FUZZ_READER", reader.format)]
MAGIC = {"gguf": b"GGUF\x03\0\0\0", "hdf5": b"\x89HDF\r\n\x1a\n"}


def one_input(data: bytes) -> None:
    """Reads one input."""
    if not data:
        return
    reader = CHOSEN[data[0] % len(CHOSEN)]
    # Half of the inputs begin as the format does, so that few runs are spent on finding its first bytes.
    content = (MAGIC.get(reader.format, b"") if data[0] & 0x80 else b"") + data[1:]
    try:
        listing = reader.read(Buffer(content, "fuzz"), LIMITS)
    except ReaderError as error:
        if not str(error).isprintable():
            raise AssertionError("a message of several lines") from error
        return
    if not listing.tensors and not listing.metadata:
        raise AssertionError("an empty listing")
    logical(listing)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
