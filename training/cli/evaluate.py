"""Entry point of ``ser-evaluate``: imports nothing heavy, so that Ctrl-C is caught from the start."""

from __future__ import annotations

from featurestore.cli.entry import start


def main() -> None:
    """Run ``ser-evaluate``."""
    start("training.cli.commands.evaluate")


if __name__ == "__main__":
    main()
