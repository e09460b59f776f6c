"""Errors of the measuring side. Every message is one line that a person can act on."""


class ReaderError(Exception):
    """An artifact is damaged, hostile or beyond the limits; says which file and what is wrong with it."""


class NoWeightsError(ReaderError):
    """A sound file that holds no weights: a pickled tokenizer, a scikit-learn model, an empty archive."""


class MissingExtraError(Exception):
    """A format or a computation needs an optional dependency; the message ends with the `pip install` line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional dependency: pip install 'dara[{extra}]'")
        self.extra = extra
