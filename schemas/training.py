"""How a model is trained: input, views, optimiser, schedule, regularisation, stopping rule."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.model import Model

NormalisationMode = Literal["standard", "minmax", "sample", "speaker", "none"]
"""See :class:`InputSpec`."""

ViewSampling = Literal["all", "one"]
"""``all``: every clip in every view once per epoch; ``one``: every clip once per epoch, in a view drawn for
its chunk of 32 clips."""

Monitor = Literal["loss", "wa", "ua", "last"]
"""Validation metric that decides which epoch is the best; ``last``: the last epoch is kept."""

ClassWeights = Literal["none", "balanced"]
"""``balanced``: n / (classes · n of the class), as scikit-learn's ``compute_class_weight``."""


class InputSpec(Model):
    """How stored features become the model's input.

    ``representation``: the ``frames`` themselves, or ``functionals``: statistics over time of what the frames
    tell, (functionals, 1) in their place (:mod:`training.functionals`). What follows is then of these.

    ``standard``: zero mean and unit deviation of each coefficient over the training clips; ``minmax``: each
    coefficient's range over the training clips becomes 0…1; ``sample``: zero mean and unit deviation over all
    valid values of a sample, by itself; ``speaker``, of functionals: zero mean and unit deviation over all
    clips of each speaker, without labels; ``none``: as stored.
    """

    representation: Literal["frames", "functionals"] = "frames"
    normalise: NormalisationMode = "standard"
    clip: float | None = Field(None, gt=0)
    """Normalised values are cut to ±clip; null: they are not."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        functionals = self.representation == "functionals"
        if functionals and self.normalise not in {"standard", "speaker", "none"}:
            raise ValueError(f"functionals are normalised by standard, speaker or none, not {self.normalise}")
        if self.normalise == "speaker" and not functionals:
            raise ValueError(
                "normalise speaker is for functionals; set input.representation=functionals, too"
            )
        return self


class SpecAugmentSpec(Model):
    """Masks of bands and of frames, drawn anew for each sample (Park et al. 2019); without time warping.

    A mask is 0 wide up to the number given, drawn uniformly; masked values are 0: the mean of an input that
    is normalised by ``standard`` or ``sample``.
    """

    band_masks: int = Field(0, ge=0, le=16)
    band_width: int = Field(16, ge=1, le=4096)
    """Coefficients, at most."""
    frame_masks: int = Field(0, ge=0, le=16)
    frame_width: int = Field(16, ge=1, le=4096)
    """Frames, at most."""


class TrainSpec(Model):
    """Optimiser, schedule, regularisation and stopping rule."""

    views: tuple[int, ...] | None = None
    """View indices that training reads; null: all of the store's. Validation and test read view 0."""
    view_sampling: ViewSampling = "all"
    """``all``: every clip in every view, each a sample of its own; ``one``: every clip once an epoch, in a
    view drawn for the epoch (one draw for each chunk of 32 clips)."""
    batch_size: int = Field(32, ge=1)
    epochs: int = Field(200, ge=1)
    """At most."""
    optimiser: Literal["adam", "adamw"] = "adam"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-5, ge=0)
    """adam: an L2 penalty, added to the gradient; adamw: decoupled (Loshchilov & Hutter 2019)."""
    schedule: Literal["plateau", "cosine", "constant"] = "plateau"
    """``plateau``: the rate falls when the validation loss stands still; ``cosine``: linear rise over
    ``warmup`` epochs, then half a cosine to 0 at ``epochs``, both step by step."""
    warmup: float = Field(0.0, ge=0)
    """Epochs of a linear rise from 0, of ``cosine`` alone."""
    lr_patience: int = Field(2, ge=0)
    """Epochs without a better validation loss that are borne; after one more the learning rate falls."""
    lr_factor: float = Field(0.5, gt=0, lt=1)
    monitor: Monitor = "loss"
    """Validation metric by which the best epoch is chosen and training stopped; ``last``: none, the last
    epoch is kept."""
    patience: int | None = Field(5, ge=1)
    """Epochs in a row that are not better than all before, after which training stops; null, or
    ``"none"`` as TOML has no null: it does not."""
    class_weights: ClassWeights = "none"
    """``balanced``: n / (classes · n of the class), as scikit-learn's ``compute_class_weight``."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of each target that is spread evenly over all classes (Szegedy et al. 2016)."""
    mixup: float = Field(0.0, ge=0, le=10)
    """Alpha of the Beta distribution from which the shares of two mixed samples are drawn; 0: none
    (Zhang et al. 2018)."""
    spec_augment: SpecAugmentSpec = SpecAugmentSpec()
    gradient_clip: float | None = Field(None, gt=0)
    """Largest L2 norm of all gradients together; null: not limited."""
    average: float | None = Field(None, gt=0, lt=1)
    """Decay a step of the exponential moving average of the weights that is validated, tested and kept;
    null: the weights themselves are."""
    precision: Literal["32", "bf16"] = "32"
    """``bf16``: products of matrices and convolutions in bfloat16, weights and sums in float32. Meant
    for GPUs and for CPUs with AMX; on a CPU without it training is slower than in float32."""

    @field_validator("patience", mode="before")
    @classmethod
    def _no_patience(cls, value: Any) -> Any:
        return None if value == "none" else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.warmup and self.schedule != "cosine":
            raise ValueError(f"warmup is for the schedule cosine, not {self.schedule}")
        if self.monitor == "last" and self.patience is not None:
            raise ValueError("monitor last keeps the last epoch, so patience must be 'none'")
        if self.warmup >= self.epochs:
            raise ValueError(f"warmup {self.warmup:g} is not below epochs {self.epochs}")
        return self
