"""Text that strangers wrote (names, paths, tensor names, error messages) made safe to show."""

from __future__ import annotations

from typing import Final

DEFAULT_LIMIT: Final = 200
"""Characters of foreign text shown in one message; names on the hub have at most 96."""

_BLANK: Final = frozenset(
    "\u034f"  # combining grapheme joiner
    "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # fillers and blanks that are "printable" but show nothing
)


def _is_visible(char: str) -> bool:
    """Whether a character is shown as itself: printable, and neither blank nor a variation selector."""
    if char in _BLANK or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return False
    return (
        char.isprintable()
    )  # false for control, format (bidi, zero-width), surrogate, private, unassigned, separators


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escape(text: str, limit: int | None = DEFAULT_LIMIT) -> str:
    r"""Foreign text on one line, with everything invisible or direction-changing spelled out.

    Control characters, bidirectional controls, zero-width characters, fillers, unusual spaces, lone surrogates,
    private and unassigned characters become `\xNN`, `\uNNNN` or `\UNNNNNNNN`. Letters of every script stay. The result
    can be encoded as UTF-8, and escaping it again changes nothing as long as nothing is left out.

    Args:
        text: anything.
        limit: characters of `text` to keep; the middle of a longer text is left out and counted. None: all.
    """
    dropped = 0
    head, tail = text, ""
    if limit is not None and len(text) > limit:
        keep = max(limit, 2)
        head, tail = text[: keep - keep // 3], text[len(text) - keep // 3 :]
        dropped = len(text) - len(head) - len(tail)
    if not (head.isascii() and head.isprintable() and tail.isascii() and tail.isprintable()):
        head = "".join(char if _is_visible(char) else _escaped(char) for char in head)
        tail = "".join(char if _is_visible(char) else _escaped(char) for char in tail)
    return f"{head}...({dropped} characters left out)...{tail}" if dropped else head


def one_line(error: BaseException, limit: int = DEFAULT_LIMIT) -> str:
    """The message of a foreign exception on one line; its type when it has none."""
    words = " ".join(str(error).split())
    return escape(words, limit) if words else type(error).__name__
