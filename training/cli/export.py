"""Entry point of ``ser-export``: imports nothing heavy, so that Ctrl-C is caught from the start."""

from __future__ import annotations

from featurestore.cli.entry import start


def main() -> None:
    """Run ``ser-export``."""
    start("training.cli.commands.export")


if __name__ == "__main__":
    main()
