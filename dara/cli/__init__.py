"""The command line. Only this room prints, and only the entry point decides how a process ends."""

from dara.cli.app import main

__all__ = ["main"]
