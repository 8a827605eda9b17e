"""Entry point of ``ser-serve``: imports nothing heavy, so that Ctrl-C is caught from the start."""

from __future__ import annotations

from featurestore.cli.entry import start


def main() -> None:
    """Run ``ser-serve``."""
    start("training.cli.commands.serve")


if __name__ == "__main__":
    main()
