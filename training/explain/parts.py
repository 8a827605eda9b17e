"""Parts of a model's input that can be permuted: features, and the layers of encoders."""

from __future__ import annotations

from schemas.spec import StoreSpec
from training.runs.run import RunRecord
from training.vectors.clip_vectors import Functionals, clip_vectors
from training.vectors.descriptors import descriptor_columns
from training.vectors.states import states_of


def parts_of(record: RunRecord, spec: StoreSpec) -> dict[str, slice]:
    """Rows of the input by part, for a run's model on a store with ``spec``.

    A feature is a part. If the model reads several layers of an encoder, each layer is another part, named
    ``whisper-base, layer 3``; the feature itself is all of its layers. For functionals, the rows of a feature
    are all statistics of its descriptors.
    """
    vectors = clip_vectors(record.recipe, spec, record.features)
    if isinstance(vectors, Functionals):
        width = len(vectors.names)
        columns = descriptor_columns({name: spec.coefficients[name] for name in record.features})
        return {
            name: slice(width * columns[name].start, width * columns[name].stop) for name in record.features
        }
    parts, start = {}, 0
    for name in record.features:
        layouts = states_of(record.recipe, spec, [name])
        rows = layouts[0].rows if layouts else spec.coefficients[name]
        parts[name] = slice(start, start + rows)
        if layouts and len(layouts[0].layers) > 1:
            size = layouts[0].size
            for position, layer in enumerate(layouts[0].layers):
                first = start + position * size
                parts[f"{name}, layer {layer}"] = slice(first, first + size)
        start += rows
    return parts
