"""Entry point of ``ser-features``: imports nothing heavy, so that Ctrl-C is caught from the start."""

from __future__ import annotations

from featurestore.cli.entry import start


def main() -> None:
    """Run ``ser-features``."""
    start("training.cli.commands.features")


if __name__ == "__main__":
    main()
