"""How clips are divided into training, validation and test sides: the evaluation protocols."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.model import Model

Protocol = Literal["speaker", "loso", "kfold", "emobox", "cross-corpus", "random"]

MOST_FOLDS = 1000

NearDuplicateRule = Literal["refuse", "report"]


class SplitSpec(Model):
    """A protocol and its numbers.

    ``speaker``: speakers drawn into three sides; ``loso``: each speaker is the test once; ``kfold``: groups
    of speakers; ``emobox``: the folds of the EmoBox benchmark; ``cross-corpus``: tested on other corpora than
    trained on; ``random``: clips drawn regardless of who speaks.
    """

    protocol: Protocol = "speaker"
    folds: int = Field(5, ge=2, le=MOST_FOLDS)
    """Groups of speakers, of ``kfold`` alone."""
    train_corpora: tuple[str, ...] = ()
    """Of ``cross-corpus`` alone: trained on, empty: all that are not tested on."""
    test_corpora: tuple[str, ...] = ()
    """Of ``cross-corpus`` alone."""
    leak_views: bool = False
    """Of ``random`` alone: views are drawn too, so that copies of one recording are on several sides."""
    near_duplicates: NearDuplicateRule = "refuse"
    """Clips on different sides that sound the same though their files differ: whether they keep a training
    from beginning, or are told of beside its result."""
    validation: float = Field(0.15, gt=0, lt=0.5)
    """Share of the speakers of each corpus and gender; of the clips under ``random``."""
    test: float = Field(0.15, gt=0, lt=0.5)
    """Share of the speakers of each corpus and gender; of the clips under ``random``."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, values: Any) -> Any:
        """Take ``kfold:5`` for the protocol and its number."""
        if isinstance(values, dict) and isinstance(protocol := values.get("protocol"), str):
            name, colon, number = protocol.partition(":")
            if name == "kfold" and colon:
                if not number.isdecimal() or not 2 <= int(number) <= MOST_FOLDS:
                    raise ValueError(f"write kfold:K with K from 2 to {MOST_FOLDS}, not '{protocol}'")
                return {**values, "protocol": name, "folds": number}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.protocol == "cross-corpus":
            if not self.test_corpora:
                raise ValueError("cross-corpus needs test_corpora, the corpora to test on (--test-on)")
            both = sorted({*self.train_corpora} & {*self.test_corpora})
            if both:
                raise ValueError(f"{', '.join(both)} cannot be trained on and tested on")
        elif self.train_corpora or self.test_corpora:
            raise ValueError(
                f"train_corpora and test_corpora are for cross-corpus, not {self.protocol}; "
                f"add --protocol cross-corpus"
            )
        if self.leak_views and self.protocol != "random":
            raise ValueError(
                f"leak_views is for the protocol random, not {self.protocol}; add --protocol random"
            )
        return self

    @property
    def shorthand(self) -> str:
        """As one word: ``kfold:5``, ``speaker``."""
        return f"kfold:{self.folds}" if self.protocol == "kfold" else self.protocol
