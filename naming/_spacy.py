"""The one place that imports spaCy.

`import spacy` imports torch when torch is installed (thinc looks for a GPU), which costs seconds and hundreds of
megabytes that no name needs. Torch is therefore hidden while spaCy is imported for the first time and put back right
after, so that a later `import torch` by anybody works as usual.

Thread safety: the import runs under a lock of this module. Another thread that imports torch during these few hundred
milliseconds may see an ImportError; the command line is single-threaded at that point.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType

_LOCK = threading.Lock()
_HIDDEN = ("torch", "tensorflow", "mxnet", "cupy")
"""Frameworks that thinc probes for by importing them."""


def load_spacy() -> ModuleType:
    """Return the spacy module, imported without torch when this is its first import."""
    with _LOCK:
        loaded = sys.modules.get("spacy")
        if loaded is not None:
            return loaded
        absent = [name for name in _HIDDEN if name not in sys.modules]
        for name in absent:
            sys.modules[name] = None  # type: ignore[assignment]  # None makes `import name` raise ImportError
        try:
            import spacy
        finally:
            for name in absent:
                if name in sys.modules and sys.modules[name] is None:
                    del sys.modules[name]
        return spacy
