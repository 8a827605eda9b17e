"""How a model is trained: input, views, optimiser, schedule, regularisation and stopping rule."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.model import Model

NormalisationGroup = Literal["speaker", "corpus"]
"""Groups of clips that can be normalised by their own clips, whatever side of a split these are on."""

NormalisationMode = Literal["standard", "minmax", "sample", NormalisationGroup, "none"]
"""What values are normalised over: training clips (two ways), the sample, the speaker, the corpus, or
nothing."""

Balance = Literal["none", "corpus"]
"""``corpus``: clips of smaller corpora are repeated until each corpus has as many."""

ViewSampling = Literal["all", "one"]
"""``all``: every clip in every view once per epoch; ``one``: every clip once per epoch, in a view drawn for
its chunk of 32 clips."""

Monitor = Literal["loss", "wa", "ua", "last"]
"""Validation metric that decides which epoch is the best; ``last``: the last epoch is kept."""

ClassWeights = Literal["none", "balanced"]
"""``balanced``: n / (classes · n of the class), as scikit-learn's ``compute_class_weight``."""


class InputSpec(Model):
    """How stored features become the model's input.

    ``representation`` is ``frames``, the features as stored; ``functionals``, statistics of the frames over
    time with shape (functionals, 1); or ``embedding``, the pooled layers of encoders side by side, (values,
    1) (:mod:`training.vectors`). Normalisation applies to the representation.

    ``normalise``: ``standard`` gives each coefficient zero mean and unit deviation over the training clips;
    ``minmax`` maps each coefficient's range over the training clips to 0…1; ``sample`` gives each sample zero
    mean and unit deviation over its valid values; ``speaker``, for vectors only, gives each speaker zero
    mean and unit deviation over all clips of the speaker, without using labels; ``corpus`` does the same
    over all clips of the corpus; ``none`` changes nothing.
    """

    representation: Literal["frames", "functionals", "embedding"] = "frames"
    normalise: NormalisationMode = "standard"
    clip: float | None = Field(None, gt=0)
    """Normalised values are limited to ±clip; null: no limit."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        vectors = self.representation != "frames"
        if vectors and self.normalise not in {"standard", "speaker", "corpus", "none"}:
            raise ValueError(
                f"{self.representation} are normalised by standard, speaker, corpus or none, not "
                f"{self.normalise}"
            )
        if self.within is not None and not vectors:
            raise ValueError(
                f"normalise {self.within} applies to functionals; set input.representation=functionals, too"
            )
        return self

    @property
    def within(self) -> NormalisationGroup | None:
        """Group that each clip is normalised with; None: it is normalised in another way."""
        return self.normalise if self.normalise in {"speaker", "corpus"} else None


class SpecAugmentSpec(Model):
    """Masks of bands and frames, drawn for each sample (Park et al. 2019), without time warping.

    The width of a mask is drawn uniformly from 0 to the given number. Masked values are 0, the mean of an
    input normalised by ``standard`` or ``sample``.
    """

    band_masks: int = Field(0, ge=0, le=16)
    band_width: int = Field(16, ge=1, le=4096)
    """Largest width of a band mask, in coefficients."""
    frame_masks: int = Field(0, ge=0, le=16)
    frame_width: int = Field(16, ge=1, le=4096)
    """Largest width of a frame mask, in frames."""


class TrainSpec(Model):
    """Optimiser, schedule, regularisation and stopping rule."""

    views: tuple[int, ...] | None = None
    """Indices of the views to train on; null: all views of the store. Validation and test use view 0."""
    view_sampling: ViewSampling = "all"
    """``all``: every view of every clip is a sample; ``one``: every clip is used once per epoch, in a view
    drawn for that epoch (one draw per chunk of 32 clips)."""
    balance: Balance = "none"
    """``corpus``: training clips of smaller corpora are repeated until each corpus has as many training clips
    as the largest."""
    batch_size: int = Field(32, ge=1, le=10**9)
    epochs: int = Field(200, ge=1, le=10**9)
    """Largest number of epochs."""
    optimiser: Literal["adam", "adamw"] = "adam"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-5, ge=0)
    """``adam``: an L2 penalty added to the gradient; ``adamw``: decoupled (Loshchilov & Hutter 2019)."""
    schedule: Literal["plateau", "cosine", "constant"] = "plateau"
    """``plateau``: the learning rate falls when the validation loss no longer improves; ``cosine``: it rises
    linearly over ``warmup`` epochs, then follows half a cosine to 0 at ``epochs``, updated every step."""
    warmup: float = Field(0.0, ge=0)
    """``cosine`` only: epochs in which the learning rate rises linearly from 0."""
    lr_patience: int = Field(2, ge=0, le=10**9)
    """Epochs without a better validation loss that are tolerated; after one more, the learning rate falls."""
    lr_factor: float = Field(0.5, gt=0, lt=1)
    monitor: Monitor = "loss"
    """Validation metric that selects the best epoch and stops training; ``last``: no metric, the last epoch
    is kept."""
    patience: int | None = Field(5, ge=1, le=10**9)
    """Training stops after this many consecutive epochs without improvement; null, written ``"none"`` in
    TOML: it does not stop early."""
    class_weights: ClassWeights = "none"
    """``balanced``: n / (classes · n of the class), as in scikit-learn's ``compute_class_weight``."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of each target that is distributed evenly over all classes (Szegedy et al. 2016)."""
    mixup: float = Field(0.0, ge=0, le=10)
    """Alpha of the Beta distribution from which the shares of two mixed samples are drawn; 0: no mixup
    (Zhang et al. 2018)."""
    spec_augment: SpecAugmentSpec = SpecAugmentSpec()
    gradient_clip: float | None = Field(None, gt=0)
    """Largest L2 norm of all gradients together; null: no limit."""
    average: float | None = Field(None, gt=0, lt=1)
    """Decay per step of an exponential moving average of the weights, which is then validated, tested and
    kept; null: no average, the weights themselves are used."""
    precision: Literal["32", "tf32", "bf16"] = "32"
    """``32``: everything in float32, also on GPUs. ``tf32``: as ``32``, but GPUs round the factors of
    products to TensorFloat-32 (10 bits of mantissa), which is faster and differs by about 0.1 %; CPUs do not.
    ``bf16``: matrix products and convolutions in bfloat16, weights and sums in float32; LSTMs on GPUs as with
    ``tf32``. Meant for GPUs and CPUs with AMX; on other CPUs, training is slower than in float32."""

    @property
    def tf32(self) -> bool:
        """Whether GPUs may round float32 factors to TensorFloat-32."""
        return self.precision != "32"

    @field_validator("patience", mode="before")
    @classmethod
    def _no_patience(cls, value: Any) -> Any:
        return None if value == "none" else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.warmup and self.schedule != "cosine":
            raise ValueError(f"warmup applies to the schedule cosine, not {self.schedule}")
        if self.monitor == "last" and self.patience is not None:
            raise ValueError("monitor last keeps the last epoch, so patience must be 'none'")
        if self.warmup >= self.epochs:
            raise ValueError(f"warmup {self.warmup:g} must be below epochs {self.epochs}")
        return self
