"""Errors of the naming side. Every message is one line that a person can act on."""

from __future__ import annotations


class NameRefused(ValueError):  # noqa: N818 (a refusal is an answer about the input, not a malfunction)
    """A string that is no package name: empty, too long, or not valid Unicode text."""


class LexiconError(Exception):
    """A lexicon file is damaged or breaks the schema; says which file and what is wrong with it."""
