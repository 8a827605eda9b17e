"""Entry point of ``ser-predict``: imports nothing heavy, so that Ctrl-C is caught from the start."""

from __future__ import annotations

from featurestore.cli.entry import start


def main() -> None:
    """Run ``ser-predict``."""
    start("training.cli.commands.predict")


if __name__ == "__main__":
    main()
