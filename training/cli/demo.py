"""Entry point of ``ser-demo``: imports nothing heavy, so that Ctrl-C is caught from the start."""

from __future__ import annotations

from featurestore.cli.entry import start


def main() -> None:
    """Run ``ser-demo``."""
    start("training.cli.commands.demo")


if __name__ == "__main__":
    main()
