"""The tests of pages find what is wrong with a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.commands import commands_of
from tests.docs.fences import fences_of
from tests.docs.play import PageError, Player
from tests.docs.words import missing_line, words_of


def _page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "```sh\ntrue\nfalse\n```\n",
        "```sh\nser-features no-such-command\n```\n",
        "```console\n$ ls no-such-file\n```\n",
        "```console\n$ echo it works\nit fails\n```\n",
        "```console\n$ printf 'one\\ntwo\\n'\ntwo\none\n```\n",
        "```console\n$ echo nothing is wrong\nerror: nothing is wrong\n```\n",
        "```console\nno command\n```\n",
        "```python\nraise ValueError\n```\n",
        "```python\nimport no_such_module\n```\n",
        "```python\nimport os\nos._exit(0)\n```\n",
        "```\nls\n```\n",
        "```bash\nls\n```\n",
        "```sh\nls\n",
        "```sh\nls \\\n```\n",
        '```toml\nname = "mine"\nmodle = 1\n```\n',
        '```toml\nspeaker = "no group"\n```\n',
        '```toml\nname = "mine"\n[audio]\nsample_rate = "fast"\n```\n',
        '```toml title="mine.toml"\nname = \n```\n',
        '```json\n{"a": }\n```\n',
        '```python title="mine.py"\ndef f(:\n```\n',
        '```text title="../outside"\nx\n```\n',
    ],
)
def test_a_page_that_is_wrong_fails(text: str, tmp_path: Path, bare_player: Player) -> None:
    with pytest.raises(PageError, match=r"^page\.md"):
        bare_player.play(_page(tmp_path, text), "page.md")


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nmkdir new # a comment\ncd new\n```\n\n```sh\ntest $(basename $PWD) = new\n```\n",
        "```sh\nexport WORD=hello\n```\n\n```console\n$ echo $WORD\nhello\n```\n",
        "```sh\ncat > file <<END\nseveral lines\nEND\ntest -s file\n```\n",
        "```sh\nfor i in 1 2; do\n  touch $i\ndone\nls 1 2\n```\n",
        "```console\n$ ls no-such-file || echo 'error: it is gone'; false\nerror: it is gone\n```\n",
        "```python\nx = 1\n```\n\n```python\nassert x == 1\n```\n",
        '```python title="mine.py"\nprint("as it is")\n```\n\n```console\n$ python3 mine.py\nas it is\n```\n',
        '```toml\nname = "calls"\nspeaker = "(?P<speaker>s[0-9])"\n```\n',
        "```toml\n[audio]\nsample_rate = 16000\n```\n",
        '```json\n{"a": 1}\n```\n',
        "```text\nls no-such-file\n```\n",
        "- item\n\n    ```sh\n    true\n    ```\n",
        "```sh\npip install nothing-that-exists\n```\n",
    ],
)
def test_a_page_that_is_right_passes(text: str, tmp_path: Path, bare_player: Player) -> None:
    bare_player.play(_page(tmp_path, text), "page.md")


def test_ctrl_c_is_pressed_where_the_page_shows_it(tmp_path: Path, bare_player: Player) -> None:
    text = "```console\n$ echo begun; sleep 60; echo ended\nbegun\n^C\n```\n"
    bare_player.play(_page(tmp_path, text), "page.md")


def test_a_failure_names_the_line_of_the_command(tmp_path: Path, bare_player: Player) -> None:
    path = _page(tmp_path, "One\n\n```console\n$ true\n$ echo a\nb\n```\n")
    with pytest.raises(PageError, match=r"^page\.md:5: echo a"):
        bare_player.play(path, "page.md")


def test_a_failing_python_block_names_its_line(tmp_path: Path, bare_player: Player) -> None:
    path = _page(tmp_path, "One\n\n```python\nx = 1\nx.missing\n```\n")
    with pytest.raises(PageError, match=r'"page\.md", line 5'):
        bare_player.play(path, "page.md")


def test_commands_keep_their_lines(tmp_path: Path) -> None:
    path = _page(tmp_path, "```console\n$ one \\\n>   two\nout\n$ three\n```\n")
    (fence,) = fences_of(path, "page.md")
    first, second = commands_of(fence)
    assert (first.text, first.expected, first.place) == ("one \\\n  two", ("out",), "page.md:2")
    assert (second.text, second.expected, second.place) == ("three", (), "page.md:5")


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("ser-train", "ser-train --views 0 --epochs 1"),
        ("ser-train --epochs 30 --views 0,1", "ser-train --epochs 3 --views 0,1"),
        (
            "ser-train --recipe ravdess-functionals",
            "ser-train --views 0 --epochs 5 --recipe ravdess-functionals",
        ),
        (
            "torchrun --nproc_per_node 2 $(which ser-train) --model A",
            "torchrun --nproc_per_node 2 $(which ser-train) --views 0 --epochs 1 --model A",
        ),
        ("ser-train --model functionals", "ser-train --views 0 --model functionals"),
        (
            "ser-train --store demo.zarr --model functionals",
            "ser-train --store demo.zarr --model functionals",
        ),
        ("ser-train --model functionals --leak-views", "ser-train --model functionals --leak-views"),
        ("ser-train --resume runs/mine", "ser-train --resume runs/mine"),
    ],
)
def test_models_are_trained_briefly(command: str, run: str, bare_player: Player) -> None:
    assert bare_player.replaced(command) == run


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        (["UA 49.6 % (95 % interval 42.9 to 57.1)"], "UA 3.1 % (95 % interval 1 to\n 2)"),
        (["run folder: runs/20261121-x"], "note: other\nrun folder: runs/20270101-y\n"),
        (["epoch   1  loss 2.1  7.6 s  best"], "epoch   1  loss 2.1  1 min 7.6 s"),
        (["first", "…", "last"], "first\nand\nlast"),
        (["has a, b, …"], "it has a, b, c, d"),
        (["ravdess  angry 3 %", "tess  sad 4 %"], "ravdess 3 %\ntess neutral 40 %"),
        (["│ framed │"], "━━━\nframed"),
    ],
)
def test_what_differs_from_machine_to_machine_is_not_compared(expected: list[str], printed: str) -> None:
    assert missing_line(expected, printed) is None


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        (["UA 49.6 % (95 % interval 42.9 to 57.1)"], "UA 49.6 % (no interval: 2 speakers)"),
        (["built 3 clips"], "built 3 recordings"),
        (["last", "first"], "first\nlast"),
        (["a line"], ""),
        (["train 960 clips of 16 speakers"], "train 960 clips of 16"),
        (["one two"], "one and two"),
    ],
)
def test_other_words_are_found(expected: list[str], printed: str) -> None:
    assert missing_line(expected, printed) == expected[0 if len(expected) == 1 else 1]


def test_runs_of_figures_are_one_word() -> None:
    assert words_of("built 1,440 clips in 20.6 s (69.9 clips/s)") == ["built", "#", "clips", "in", "#"]
