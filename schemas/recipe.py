"""Recipes: named TOML files that define features, views, labels, model and training.

A shipped recipe is found by name, a custom one by path. A build uses only the parts that determine the
store (:meth:`Recipe.store_spec`), training uses all of them.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from schemas.architecture import FrameHeadSpec, LayerMlpSpec, LinearSpec, ModelSpec
from schemas.encoders import EncoderSpec
from schemas.errors import SpecError, UnknownNameError, UsageError
from schemas.features import FeatureSpec, RmsSpec
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text
from schemas.files.toml_text import TomlError, parse_toml
from schemas.imported import ImportedSpec
from schemas.labels_spec import LabelsSpec
from schemas.messages.counts import format_count
from schemas.messages.nearest import did_you_mean
from schemas.model import Model
from schemas.named_models import named_model
from schemas.opensmile import OpenSmileSpec
from schemas.protocol import SplitSpec
from schemas.spec import AudioSpec, SpectralSpec, StorageSpec, StoreSpec
from schemas.training import InputSpec, TrainSpec
from schemas.views import ViewSpec


class Recipe(Model):
    """A system that can be built and trained end to end."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    description: str = ""
    audio: AudioSpec = AudioSpec()
    spectral: SpectralSpec = SpectralSpec()
    features: tuple[FeatureSpec, ...] = Field(min_length=1)
    views: tuple[ViewSpec, ...] = ()
    labels: LabelsSpec = LabelsSpec()
    where: str | None = None
    """Clips to train and test on, as a pandas query over the manifest; null: all."""
    datasets: tuple[str, ...] | None = None
    """Corpora to train and test on; those that the store lacks are skipped; null: all in the store."""
    input: InputSpec = InputSpec()
    model: ModelSpec
    split: SplitSpec = SplitSpec()
    train: TrainSpec = TrainSpec()

    @model_validator(mode="before")
    @classmethod
    def _named_model(cls, values: Any) -> Any:
        """Fill in the fields of a named model."""
        if isinstance(values, dict) and isinstance(model := values.get("model"), dict):
            try:
                return {**values, "model": named_model(model)}
            except UnknownNameError as error:
                raise ValueError(str(error)) from error
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.is_complete:
            self.store_spec()
        else:
            known = tuple(f for f in self.features if _is_complete(f))
            self.model_copy(update={"features": known or (RmsSpec(),)}).store_spec()
        self._check_representation()
        self._check_target()
        return self

    def _check_representation(self) -> None:
        """Raise ValueError if the model cannot read the features in the representation that is chosen."""
        embedding = self.input.representation == "embedding"
        if embedding and not all(_can_embed(feature) for feature in self.features):
            raise ValueError(
                "input.representation embedding needs features of encoders with pooling mean or mean+std, of "
                "openSMILE, or imported ones, and no others"
            )
        self._check_layers()
        if isinstance(self.model, LinearSpec) and bool(self.model.statistics) == embedding:
            raise ValueError(
                f"model {self.model.name} has statistics, which are for functionals, not embeddings; leave "
                f"them out"
                if embedding
                else f"model {self.model.name} needs statistics of functionals, or features of encoders and "
                f'input.representation = "embedding"'
            )

    def _check_target(self) -> None:
        """Raise ValueError if the model or its training is for classes but the target is not, or reversed."""
        model, train = self.model, self.train
        ridge = isinstance(model, LinearSpec) and model.classifier == "ridge"
        if not self.labels.is_regression:
            if ridge:
                raise ValueError(
                    f"model {model.name} is a ridge regression, but labels.target is {self.labels.target}; "
                    f"set labels.target=regression, or choose another model.classifier"
                )
            return
        if isinstance(model, LinearSpec) and not ridge:
            raise ValueError(
                f"model {model.name} classifies ({model.classifier}), but labels.target is regression; set "
                f"model.classifier=ridge"
            )
        if isinstance(model, LinearSpec) and model.calibration != "none":
            raise ValueError(
                f"model {model.name} has the calibration {model.calibration}, which is for probabilities, "
                f"but labels.target is regression; set model.calibration=none"
            )
        for field, value, neutral in (
            ("class_weights", train.class_weights, "none"),
            ("label_smoothing", train.label_smoothing, 0),
        ):
            if value != neutral:
                raise ValueError(
                    f"train.{field} {value} is for classes, but labels.target is regression; set "
                    f"train.{field}={neutral}"
                )
        if train.monitor in ("ua", "wa"):
            raise ValueError(
                f"train.monitor {train.monitor} is for classes, but labels.target is regression; set "
                f"train.monitor=loss, which is 1 - CCC"
            )
        if train.batch_size == 1 and not isinstance(model, LinearSpec):
            raise ValueError(
                "train.batch_size 1 is too small for labels.target regression, whose loss compares the clips "
                "of a batch; give at least 2"
            )

    def _check_layers(self) -> None:
        """Raise ValueError if the model weighs layers of encoders but the input is something else."""
        representation = self.input.representation
        given = f"{representation} of {', '.join(feature.name for feature in self.features)}"
        if isinstance(self.model, LayerMlpSpec) and representation != "embedding":
            raise ValueError(
                f"model {self.model.name} weighs pooled layers of encoders, but the input is {given}; give "
                f"features of encoders with pooling mean or mean+std, and input.representation = "
                f'"embedding"'
            )
        frames = [
            isinstance(f, ImportedSpec) or (isinstance(f, EncoderSpec) and f.pooling == "frames")
            for f in self.features
        ]
        if isinstance(self.model, FrameHeadSpec) and (representation != "frames" or frames != [True]):
            raise ValueError(
                f"model {self.model.name} reads frames of one encoder, but the input is {given}; give one "
                f'feature of an encoder with pooling = "frames", and input.representation = "frames"'
            )

    def complete(self, spec: StoreSpec) -> Recipe:
        """The recipe with what it leaves out of the features that a store with ``spec`` holds.

        Of encoders, that is their architecture, their hash, and layers: those that the store holds. Of
        imported features and those of openSMILE, it is everything but the name.
        """
        stored = {feature.name: feature for feature in spec.features}
        features = tuple(_completed(feature, stored.get(feature.name)) for feature in self.features)
        return self.model_copy(update={"features": features})

    @property
    def is_complete(self) -> bool:
        """Whether a store can have its features as they are: what a store knows is filled in."""
        return all(_is_complete(feature) for feature in self.features)

    def store_spec(
        self, augment: int | None = None, seed: int = 0, storage: StorageSpec | None = None
    ) -> StoreSpec:
        """Specification of the store that this recipe needs, with its first ``augment`` views.

        Raises :class:`UsageError` if the recipe lists fewer views, and pydantic's ValidationError if an
        encoder's architecture and hash are not filled in.
        """
        count = len(self.views) if augment is None else augment
        if not 0 <= count <= len(self.views):
            raise UsageError(
                f"--augment {count}: recipe '{self.name}' lists {format_count(len(self.views), 'view')}; "
                f"give a number from 0 to {len(self.views)}"
            )
        return StoreSpec(
            audio=self.audio,
            spectral=self.spectral,
            features=self.features,
            views=self.views[:count],
            seed=seed,
            storage=storage or StorageSpec(),
        )


def _is_complete(feature: FeatureSpec) -> bool:
    """Whether a store can have the feature as it is; a recipe may leave out what the store knows."""
    match feature:
        case EncoderSpec():
            return feature.architecture is not None
        case ImportedSpec() | OpenSmileSpec():
            return feature.is_complete
        case _:
            return True


def _completed(feature: FeatureSpec, stored: FeatureSpec | None) -> FeatureSpec:
    """The feature of a recipe with what it leaves out, as the store holds it."""
    match feature, stored:
        case EncoderSpec(architecture=None), EncoderSpec():
            layers = feature.model_copy(update={"layers": feature.layers or stored.layers})
            return layers.complete(stored.known_architecture, str(stored.sha256))
        case ImportedSpec(), ImportedSpec():
            return stored
        case OpenSmileSpec(version=None), OpenSmileSpec():
            return stored
        case _:
            return feature


def _can_embed(feature: FeatureSpec) -> bool:
    """Whether a feature may have one vector per clip; of an imported one, the store knows."""
    if isinstance(feature, EncoderSpec):
        return feature.pooling != "frames"
    return isinstance(feature, ImportedSpec | OpenSmileSpec)


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package, sorted."""
    folder = resources.files("schemas") / "recipes"
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    )


def load_recipe(name_or_path: str) -> Recipe:
    """Read a shipped recipe by name, or a TOML file.

    Raises :class:`UnknownNameError` if there is neither, and :class:`SpecError` if the file is not a valid
    recipe; the message names the first invalid field.
    """
    path = Path(name_or_path)
    if path.suffix.lower() == ".toml":
        try:
            text = decode_text(read_regular_file(path))
        except OSError as error:
            raise UnknownNameError(
                f"cannot read recipe '{name_or_path}': {error.strerror or error}; "
                f"give a TOML file or one of {', '.join(shipped_recipes())}"
            ) from error
        except TextError as error:
            raise SpecError(f"recipe '{name_or_path}' {error}") from error
    elif name_or_path in shipped_recipes():
        text = (resources.files("schemas") / "recipes" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        raise UnknownNameError(
            f"unknown recipe '{name_or_path}'; {did_you_mean(name_or_path, shipped_recipes())}"
            f"choose one of {', '.join(shipped_recipes())} or give a .toml file"
        )
    return parse_recipe(text, name_or_path)


def parse_recipe(text: str, source: str) -> Recipe:
    """Read a recipe from TOML text; ``source`` names it in messages. Raises :class:`SpecError`."""
    try:
        return Recipe.model_validate(parse_toml(text))
    except TomlError as error:
        raise SpecError(f"recipe '{source}' {error}") from error
    except ValidationError as error:
        raise SpecError(f"recipe '{source}': {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """First problem in a pydantic error, as ``field: problem (got value)``."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    value = problem.get("input")
    got = (
        ""
        if isinstance(value, dict) or problem["type"] in {"value_error", "missing"}
        else f" (got {shorten(value)})"
    )
    return f"{where}: {first_complaint(error)}{got}" if where else first_complaint(error)


def shorten(value: object) -> str:
    """The value as Python writes it, cut to at most 100 characters."""
    try:
        text = repr(value[:100] if isinstance(value, str) else value)
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        return f"a {type(value).__name__} too large to print"
    return text if len(text) <= 100 else f"{text[:99]}…"


def first_complaint(error: ValidationError) -> str:
    """First problem in a pydantic error without its field: ``must be greater than 0``."""
    problem = error.errors(include_url=False)[0]
    if problem["type"] in _COMPLAINTS:
        return _COMPLAINTS[problem["type"]]
    complaint = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
    return complaint if len(complaint) <= _MOST_COMPLAINT else f"{complaint[:_MOST_COMPLAINT]}…"


_MOST_COMPLAINT = 500

_COMPLAINTS = {
    "missing": "must be given",
    "extra_forbidden": "unknown field; check the spelling",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
}
"""Replacements for pydantic's messages, by type of error."""
