"""Builds by NVIDIA DALI beside those by soundfile."""

from pathlib import Path

import pytest
import soundfile

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from pipelines.decoders import choose_decoder
from schemas.errors import UsageError


def _built(out: Path, corpora: Path, recipe: str, decoder: str) -> BuildReport:
    return build(BuildRequest(out, corpora, "demo", SpecRequest(recipe=recipe), decoder=decoder))


def test_dali_builds_what_soundfile_builds(small_demo: Path, tiny_recipe: str, tmp_path: Path) -> None:
    for decoder in ("soundfile", "dali"):
        report = _built(tmp_path / decoder, small_demo, tiny_recipe, decoder)
        assert not report.fallbacks
    by_soundfile, by_dali = (FeatureStore.open(tmp_path / name) for name in ("soundfile", "dali"))
    assert by_dali.digest == by_soundfile.digest
    assert by_dali.manifest.equals(by_soundfile.manifest)


def test_what_dali_leaves_aside_is_read_by_soundfile_and_told(
    own_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    files = sorted((own_demo / "demo").rglob("*.wav"))
    for file in files[:2]:
        samples, rate = soundfile.read(file, dtype="int16")
        soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    files[2].write_bytes(b"no sound at all")
    report = _built(tmp_path / "s.zarr", own_demo, tiny_recipe, "dali")
    assert report.fallbacks["FLAC is not left to DALI"] == 2
    assert sum(report.fallbacks.values()) == 2  # what nobody can read is told as bad
    assert [remark.path for remark in report.bad] == [files[2].relative_to(own_demo / "demo").as_posix()]


def test_auto_is_dali_only_on_a_gpu_and_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_decoder("auto", "cpu") == "soundfile"
    assert choose_decoder("auto", "cuda") == "dali"
    assert choose_decoder("soundfile", "cuda") == "soundfile"
    assert choose_decoder("dali", "cpu") == "dali"
    monkeypatch.setattr("pipelines.decoders.find_spec", lambda _: None)
    assert choose_decoder("auto", "cuda") == "soundfile"


def test_unknown_decoders_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown decoder 'ffmpeg'; choose auto, soundfile or dali"):
        choose_decoder("ffmpeg", "cpu")
