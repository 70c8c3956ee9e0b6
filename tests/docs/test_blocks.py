"""The checks of code blocks find what is wrong."""

from __future__ import annotations

import pytest

from .blocks import LEFT_OUT, blocks_of, commands_of
from .command_lines import check_command


def test_blocks_know_their_line_language_and_reason(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f'# A\n\n```sh\nls\n```\n\n- b\n\n  ```python {LEFT_OUT}needs b"\n  c\n  ```\n')
    first, second = blocks_of(page)
    assert (first.line, first.language, first.code, first.reason) == (4, "sh", "ls\n", None)
    assert (second.line, second.language, second.code) == (10, "python", "c\n")
    assert second.reason == "needs b"


def test_commands_are_split_as_a_shell_would():
    code = "A=1 b 'c d' \\\n  --e=f # comment\ng && h | i; j\n"
    assert list(commands_of(code)) == [["b", "c d", "--e=f"], ["g"], ["h"], ["i"], ["j"]]


@pytest.mark.parametrize(
    "command",
    [
        "emohead render face.jpg speech.wav",  # no --out
        "emohead engines build --no-such-option",
        "emohead-train no-such-stage",
        "python -m emohead_export bundle --out a",  # no --checkpoints
        "make no-such-target",
        "pip install .[no-such-extra]",
        "python script/no_such_script.py",
        "no-such-program",
        "emohead …",
    ],
)
def test_wrong_commands_are_found(command):
    with pytest.raises(BaseException, match=r"Missing|No such|exist|may use|target|extra|write it"):
        check_command(command.split())
