"""Evaluation protocols: how clips are divided into training, validation and test sides."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.model import Model

Protocol = Literal["speaker", "loso", "kfold", "speaker+sentence", "emobox", "cross-corpus", "random"]

GROUPED: tuple[Protocol, ...] = ("kfold", "speaker+sentence")
"""Protocols with a number of groups of speakers, written ``kfold:5``."""

MOST_FOLDS = 1000

NearDuplicateRule = Literal["refuse", "report"]


class SplitSpec(Model):
    """A protocol and its parameters.

    ``speaker``: speakers are assigned to three sides at random; ``loso``: each speaker is tested once;
    ``kfold``: groups of speakers are tested in turn; ``speaker+sentence``: the same, and each group is tested
    on each half of the sentences, after training without either; ``emobox``: the folds of the EmoBox
    benchmark, also those of a corpus that was built from its metadata; ``cross-corpus``: training and test
    use different corpora; ``random``: clips are assigned at random, regardless of speaker.
    """

    protocol: Protocol = "speaker"
    folds: int = Field(5, ge=2, le=MOST_FOLDS)
    """``kfold`` and ``speaker+sentence`` only: number of groups of speakers."""
    train_corpora: tuple[str, ...] = ()
    """``cross-corpus`` only: corpora to train on; empty: all except the test corpora."""
    test_corpora: tuple[str, ...] = ()
    """``cross-corpus`` only: corpora to test on."""
    leak_views: bool = False
    """``random`` only: assign views at random, too, so that copies of one recording are on several sides."""
    near_duplicates: NearDuplicateRule = "refuse"
    """Clips on different sides that sound the same although their files differ: ``refuse`` to train, or train
    and ``report`` them with the result."""
    validation: float = Field(0.15, gt=0, lt=0.5)
    """Share of the speakers of each corpus and gender; under ``random``, share of the clips."""
    test: float = Field(0.15, gt=0, lt=0.5)
    """Share of the speakers of each corpus and gender; under ``random``, share of the clips."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, values: Any) -> Any:
        """Accept ``kfold:5`` for the protocol and its number of folds."""
        if isinstance(values, dict) and isinstance(protocol := values.get("protocol"), str):
            name, colon, number = protocol.partition(":")
            if name in GROUPED and colon:
                if not number.isdecimal() or not 2 <= int(number) <= MOST_FOLDS:
                    raise ValueError(f"use {name}:K with K from 2 to {MOST_FOLDS}, not '{protocol}'")
                return {**values, "protocol": name, "folds": number}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.protocol == "cross-corpus":
            if not self.test_corpora:
                raise ValueError("cross-corpus needs test_corpora, the corpora to test on (--test-on)")
            both = sorted({*self.train_corpora} & {*self.test_corpora})
            if both:
                raise ValueError(f"{', '.join(both)} cannot be in both train_corpora and test_corpora")
        elif self.train_corpora or self.test_corpora:
            raise ValueError(
                f"train_corpora and test_corpora apply to the protocol cross-corpus, not {self.protocol}; "
                f"add --protocol cross-corpus"
            )
        if self.leak_views and self.protocol != "random":
            raise ValueError(
                f"leak_views applies to the protocol random, not {self.protocol}; add --protocol random"
            )
        return self

    @property
    def shorthand(self) -> str:
        """As one word: ``kfold:5``, ``speaker``."""
        return f"{self.protocol}:{self.folds}" if self.protocol in GROUPED else self.protocol
