from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.batch_size import MOST_CLIPS, bytes_per_clip, clips_per_batch
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec

RECIPE = load_recipe("four-corpora-a").store_spec(6)
EVERY_FEATURE = RECIPE.model_copy(update={"features": named_features("all", RECIPE.features)})


def _of_length(seconds: float) -> StoreSpec:
    spec = EVERY_FEATURE.model_dump()
    return StoreSpec.model_validate({**spec, "audio": {**spec["audio"], "duration_s": seconds}})


def test_the_usual_batch_fits_into_a_usual_gpu() -> None:
    assert clips_per_batch(EVERY_FEATURE, 8 * 2**30) == MOST_CLIPS


def test_long_clips_come_in_smaller_batches() -> None:
    assert clips_per_batch(_of_length(60.0), 24 * 2**30) == 16
    assert clips_per_batch(_of_length(60.0), 140 * 2**30) == MOST_CLIPS


@settings(max_examples=50)
@given(seconds=st.floats(0.5, 60), free=st.integers(0, 200 * 2**30))
def test_a_batch_fits_and_twice_as_many_would_not(seconds: float, free: int) -> None:
    spec = _of_length(seconds)
    clips = clips_per_batch(spec, free)
    assert clips in {2**power for power in range(7)}
    assert clips == 1 or clips * bytes_per_clip(spec) <= 0.6 * free
    assert clips == MOST_CLIPS or 2 * clips * bytes_per_clip(spec) > 0.6 * free
