import os
import stat
import threading
from pathlib import Path

import pytest

from adapters.registry import InvalidAdapter
from adapters.registry.plain_file import open_plain


def test_a_plain_file_is_opened_for_reading(tmp_path: Path) -> None:
    """From its beginning, and not to write."""
    (tmp_path / "file").write_bytes(b"content")
    with open_plain(tmp_path / "file") as file:
        assert file.read() == b"content"
        assert not file.writable()


def test_a_file_that_cannot_be_opened_is_refused_with_the_reason(tmp_path: Path) -> None:
    """What the system says is told; the folder is not."""
    with pytest.raises(InvalidAdapter, match="File name too long") as refused:
        open_plain(tmp_path / ("x" * 300))
    assert str(tmp_path) not in str(refused.value)


def test_a_file_that_becomes_a_pipe_or_a_link_is_never_waited_on_or_followed(tmp_path: Path) -> None:
    """However the moment falls between looking and opening: a plain file is opened, or it is refused."""
    path, secret = tmp_path / "file", tmp_path / "secret"
    secret.write_bytes(b"secret")
    kinds = [tmp_path / name for name in ("plain", "pipe", "link")]
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            kinds[0].write_bytes(b"content")
            os.mkfifo(kinds[1])
            kinds[2].symlink_to(secret)
            for kind in kinds:
                kind.replace(path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    opened = refused = 0
    try:
        while (opened < 100 or refused < 100) and opened + refused < 100_000:
            try:
                with open_plain(path) as file:
                    opened += 1
                    assert stat.S_ISREG(os.fstat(file.fileno()).st_mode)
                    assert file.read() in (b"", b"content")
            except InvalidAdapter:
                refused += 1
    finally:
        done.set()
        swapping.join()
    assert opened
    assert refused
