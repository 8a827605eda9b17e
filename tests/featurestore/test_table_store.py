"""A store built from a table of a corpus, beside the one built from its folder."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from featurestore.store import FeatureStore
from tests.tiny_store import Builder


def test_a_table_gives_the_clips_of_the_folder_with_its_own_emotions(
    whole_demo: Path, tiny_store: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    folder = FeatureStore.open(tiny_store)
    clips = folder.manifest.iloc[::5]
    table = tmp_path / "clips.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "speaker_id", "sex", "text"))
        for row in clips.itertuples():
            label = "hurried" if row.emotion == "fearful" else row.emotion
            speaker = row.speaker.partition("/")[2]
            writer.writerow((whole_demo / "demo" / row.path, label, speaker, row.gender, row.sentence))
    tiny_build(tmp_path / "t.zarr", tmp_path, f"mine={table}")
    store = FeatureStore.open(tmp_path / "t.zarr")

    found = store.manifest.set_index("audio_sha256")
    expected = clips.set_index("audio_sha256")
    assert set(found.index) == set(expected.index)
    found = found.loc[expected.index]
    assert set(found["emotion"]) == {*expected["emotion"]} - {"fearful"} | {"hurried"}
    for column in ("gender", "sentence", "duration_s", "snr_db", "status"):
        assert found[column].tolist() == expected[column].tolist()
    assert (found["speaker"].str.partition("/")[2] == expected["speaker"].str.partition("/")[2]).all()

    mine = store.read([store.manifest["clip_id"].tolist().index(name) for name in found["clip_id"]])
    theirs = folder.read(clips.index.to_numpy())
    for feature in theirs:
        np.testing.assert_array_equal(mine[feature], theirs[feature])
