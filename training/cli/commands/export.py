"""``ser-export``: export a trained model as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.console import Command, ConsoleProgress, Version, after_result, note, out, print_json
from featurestore.cli.options import Encoders, Json, encoder_folders_of
from featurestore.cli.paths import path_type
from training.cli.options import Run

if TYPE_CHECKING:
    from training.export.export import Exported  # takes seconds to import

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command(cls=Command)
def export(
    run: Run,
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", help="File to write the graph to.", parser=path_type)
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    encoder: Encoders = None,
    json: Json = False,
    version: Version = False,
) -> None:
    """Export a trained model as ONNX: from features to probabilities or values, normalisation included.

    MODEL.json, written next to it, describes the features, the outputs and the test result.

    MODEL.npz holds a test sound with its features and probabilities, to check ports to other languages.

    For a model on features of an encoder, MODEL.NAME.onnx holds the encoder, from waveform to features.

    The graph is compared with the model before anything is written.

    [bold]Examples[/]

      ser-export runs/20260131-140501-four-corpora-a-speaker model.onnx
    """
    from training.export.export import export_run
    from training.runs.elsewhere import single_run
    from training.runs.hashes import notes_on_hashes

    folder = single_run(run, ConsoleProgress())
    done = export_run(folder, model, force=force, encoders=encoder_folders_of(encoder))
    with after_result():
        for sentence in notes_on_hashes([folder]):
            note(sentence)
        _show(done, json)


def _show(done: Exported, json: bool) -> None:
    document = done.document
    if json:
        print_json(
            {
                "onnx": str(done.onnx),
                "json": str(done.json),
                "npz": str(done.npz),
                "encoders": [str(path) for path in done.encoders],
                **document.model_dump(mode="json", include={"check", "inputs", "outputs", "result"}),
                "sha256": document.onnx.sha256,
            }
        )
        return
    if document.result.warning is not None:
        note(document.result.warning)
    shapes = "; ".join(
        f"{each.name} {each.dtype} ({', '.join(map(str, each.shape))})"
        for each in (*document.inputs, *document.outputs)
    )
    out.print(f"{done.onnx}: {done.onnx.stat().st_size / 1e6:.1f} MB, opset {document.opset}", markup=False)
    out.print(f"  {shapes}", markup=False)
    differs = "a value, as a share" if document.dimensions else "a probability"
    out.print(
        f"  largest difference from the model: {document.check.largest_difference:.1e} in {differs} "
        f"(allowed: {document.check.tolerance:g}), in batches of "
        f"{', '.join(map(str, document.check.batch_sizes))}",
        markup=False,
    )
    for path, encoder in zip(done.encoders, document.encoders, strict=True):
        licence = f"licence {encoder.licence}" if encoder.licence else "ask their publisher for the licence"
        out.print(
            f"{path}: {path.stat().st_size / 1e6:.1f} MB, the encoder from {encoder.input.name} to "
            f"{encoder.feature}; it holds the weights ({licence})",
            markup=False,
        )
        out.print(
            f"  largest difference from the encoder: {encoder.check.largest_difference:.1e} of a clip's "
            f"largest value (allowed: {encoder.check.tolerance:g})",
            markup=False,
        )
    outputs = "dimensions" if document.dimensions else "classes"
    out.print(f"  {done.json}: features, {outputs}, result; {done.npz}: test vector", markup=False)
