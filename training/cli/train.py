"""Entry point of ``ser-train``: imports nothing heavy, so that Ctrl-C is caught from the start."""

from __future__ import annotations

from featurestore.cli.entry import start


def main() -> None:
    """Run ``ser-train``."""
    start("training.cli.commands.train")


if __name__ == "__main__":
    main()
