"""The one place that imports spaCy.

`import spacy` imports torch when torch is installed (thinc looks for a GPU), which costs seconds and hundreds of
megabytes that no name needs. Torch is therefore hidden while spaCy is imported for the first time and put back right
after, so that a later `import torch` by anybody works as usual.

It also imports its own command line (`spacy.cli`: an HTTP client, a downloader, a project tool), which is half of the
import's time, for the sake of one function, `spacy.info`. A stand-in takes the place of that module meanwhile;
`spacy.info` and `import spacy.cli` load the real one when they are used.

Thread safety: the import runs under a lock of this module. Another thread that imports torch during these few hundred
milliseconds may see an ImportError; the command line is single-threaded at that point.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

_LOCK = threading.Lock()
_HIDDEN = ("torch", "tensorflow", "mxnet", "cupy", "h5py")
"""Frameworks that thinc probes for by importing them."""
_COMMANDS = ("spacy.cli", "spacy.cli.info")


def load_spacy() -> ModuleType:
    """Return the spacy module, imported without torch and without its command line when this is its first import."""
    with _LOCK:
        loaded = sys.modules.get("spacy")
        if loaded is not None:
            return loaded
        absent = [name for name in _HIDDEN if name not in sys.modules]
        for name in absent:
            sys.modules[name] = None  # type: ignore[assignment]  # None makes `import name` raise ImportError
        for name in _COMMANDS:
            sys.modules[name] = _StandIn(name)
        try:
            import spacy
        finally:
            for name in absent:
                if name in sys.modules and sys.modules[name] is None:
                    del sys.modules[name]
            for name in _COMMANDS:
                if isinstance(sys.modules.get(name), _StandIn):
                    del sys.modules[name]
        return spacy


class _StandIn(ModuleType):
    """What `from .cli.info import info` finds."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []  # a package, in which the import finds its `info`

    @staticmethod
    def info(*args: Any, **options: Any) -> Any:
        """`spacy.info`, loaded when it is called."""
        from spacy.cli.info import info

        return info(*args, **options)
