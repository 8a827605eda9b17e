from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from training.evaluate import EvaluationRequest, evaluate_runs
from training.runs.request import Hardware, TrainRequest
from training.samples.samples import Samples, cross
from training.train import train
from training.vectors import groups
from training.vectors.clip_vectors import Functionals
from training.vectors.source import read_vectors

FEATURES = ("mel", "mfcc", "rms", "zcr")
CPU, DEVICE = Hardware("cpu"), torch.device("cpu")
RECIPE = override(
    load_recipe("four-corpora-c"),
    [
        "datasets=null",
        "input.representation=functionals",
        "input.normalise=speaker",
        "train.views=[0, 2]",
        "train.epochs=3",
        "model.name=functionals-mlp",
    ],
)


def _read(store: FeatureStore, samples: Samples, *, by_speaker: bool = True) -> torch.Tensor:
    functionals = Functionals({name: store.spec.coefficients[name] for name in FEATURES})
    return read_vectors(
        store, samples, FEATURES, functionals, DEVICE, within="speaker" if by_speaker else None
    )


def test_functionals_have_the_mean_and_deviation_of_each_speaker_in_each_view(demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    clips = np.random.default_rng(0).permutation(len(store.manifest))
    samples = cross(clips, clips % 7, (0, 3))
    plain = _read(store, samples, by_speaker=False).double().numpy()
    found = _read(store, samples).numpy()
    speakers = store.manifest["speaker"].to_numpy()[samples.clips]
    for speaker in np.unique(speakers):
        for view in (0, 3):
            rows = np.flatnonzero((speakers == speaker) & (samples.views == view))
            varies = plain[rows].std(0) > 1e-4 * (1 + np.abs(plain[rows].mean(0)))
            expected = StandardScaler().fit_transform(plain[rows])
            np.testing.assert_allclose(found[rows][:, varies], expected[:, varies], atol=0.02)
    assert np.isfinite(found).all()


def test_what_a_speakers_clips_have_in_common_is_taken_away(demo_store: Path) -> None:
    """A speaker's clips beside another's are as they are alone."""
    store = FeatureStore.open(demo_store)
    speakers = store.manifest["speaker"].to_numpy()
    own = np.flatnonzero(speakers == speakers[0])
    zeros = np.zeros(len(own), dtype=np.int64)
    alone = _read(store, Samples(own, zeros, zeros))
    every = np.arange(len(speakers))
    beside = _read(store, Samples(every, every * 0, every * 0))
    torch.testing.assert_close(beside[torch.from_numpy(own)], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("model", ["functionals-mlp", "functionals-lda"])
@pytest.mark.slow
def test_a_result_says_that_it_was_normalised_by_speaker(
    model: str, demo_store: Path, tmp_path: Path
) -> None:
    changes = (f"model.name={model}",)
    run = train(TrainRequest(store=demo_store, recipe=RECIPE, changes=changes, output=tmp_path, hardware=CPU))
    title = "speaker-independent, normalised by speaker (protocol: speaker)"
    assert run.title == title
    assert run.report.startswith(title)
    assert "says nothing about a single clip of a new speaker" in " ".join(run.report.split())
    assert title in (run.folder.path / "README.md").read_text()
    tested = evaluate_runs(EvaluationRequest((run.folder.path,), demo_store, hardware=CPU))
    assert (tested.title, tested.evaluation) == (title, run.test)
    plain = override(RECIPE, ["input.normalise=standard", f"model.name={model}"])
    other = train(
        TrainRequest(
            store=demo_store,
            recipe=plain,
            split=run.folder.path / "split.json",
            output=tmp_path / "plain",
            hardware=CPU,
        )
    )
    assert other.title == "speaker-independent (protocol: speaker)"
    assert other.test != run.test
    both = evaluate_runs(EvaluationRequest((other.folder.path, run.folder.path), demo_store, hardware=CPU))
    assert both.title == title, "of one of them"


def test_neither_labels_nor_filters_choose_the_clips_that_a_speaker_is_known_by(
    demo_store: Path, tmp_path: Path
) -> None:
    run = train(
        TrainRequest(
            store=demo_store,
            recipe=RECIPE,
            changes=("model.name=functionals-lda",),
            output=tmp_path,
            hardware=CPU,
        )
    )
    paths = (run.folder.path,)
    whole = evaluate_runs(EvaluationRequest(paths, demo_store, hardware=CPU)).predictions
    angry = evaluate_runs(
        EvaluationRequest(paths, demo_store, where="emotion == 'angry'", hardware=CPU)
    ).predictions
    rows = [whole.clip_id.index(clip) for clip in angry.clip_id]
    assert 0 < len(rows) < len(whole)
    np.testing.assert_allclose(angry.probabilities, whole.probabilities[rows], atol=1e-5)


def test_a_speaker_with_few_clips_is_refused_before_there_is_a_folder(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "FEWEST_CLIPS", 8)
    request = TrainRequest(store=demo_store, recipe=RECIPE, output=tmp_path / "runs", hardware=CPU)
    with pytest.raises(
        RunError, match=r"normalisation by speaker needs 8 usable clips per speaker, but demo/\w+ has 7"
    ):
        train(request)
    store = FeatureStore.open(demo_store)
    one = Samples(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
    with pytest.raises(RunError, match="needs 8 usable clips per speaker"):
        _read(store, one)
    assert not (tmp_path / "runs").exists()


def test_random_splits_have_no_whole_speakers(demo_store: Path, tmp_path: Path) -> None:
    request = TrainRequest(
        store=demo_store,
        recipe=RECIPE,
        changes=("split.protocol=random",),
        output=tmp_path / "runs",
        hardware=CPU,
    )
    with pytest.raises(UsageError, match="needs all clips of a speaker on one side, but the protocol random"):
        train(request)
    assert not (tmp_path / "runs").exists()


def test_frames_are_not_normalised_by_speaker() -> None:
    with pytest.raises(UsageError, match=r"set input.representation=functionals, too"):
        override(RECIPE, ["input.representation=frames"])
