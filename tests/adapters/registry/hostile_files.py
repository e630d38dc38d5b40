"""Adapters whose files are not two plain files: pickles, extra files, odd names, links, pipes, and sizes that nobody can hold."""

import os
import pickle
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.adapters.registry.hostile import CANARY, CONFIG, WEIGHTS, Case, Good, Write
from tests.adapters.registry.tiny import header_of, safetensors_file

TERABYTE = 1 << 40
MANY_FILES = 5000


class _Canary:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._path,)


def _pickled(folder: Path) -> bytes:
    return pickle.dumps(_Canary(folder.parent / f"{folder.name}{CANARY}"))


def _extra(name: str, content: bytes = b"{}") -> Case:
    return Case(ascii(name)[1:-1][:120], lambda folder, good: _write(folder / name, content))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _pickle_beside(name: str, *, instead: bool = False) -> Case:
    def spoil(folder: Path, good: Good) -> None:
        (folder / name).write_bytes(_pickled(folder))
        if instead:
            (folder / WEIGHTS).unlink()

    return Case(name, spoil)


def _pickle_as_weights(folder: Path, good: Good) -> None:
    (folder / WEIGHTS).write_bytes(_pickled(folder))


def _pickle_as_config(folder: Path, good: Good) -> None:
    (folder / CONFIG).write_bytes(_pickled(folder))


def _without(name: str) -> Case:
    return Case(name, lambda folder, good: (folder / name).unlink())


def _linked(name: str, target: str | None = None) -> Case:
    """A link to `target`, or to the good file that is moved away."""

    def spoil(folder: Path, good: Good) -> None:
        if target is None:
            moved = folder.parent / f"{folder.name}.{name}"
            (folder / name).rename(moved)
            (folder / name).symlink_to(moved)
        else:
            (folder / name).unlink()
            (folder / name).symlink_to(target)

    return Case(name, spoil)


def _replaced(name: str, make: Callable[[Path], None]) -> Case:
    def spoil(folder: Path, good: Good) -> None:
        (folder / name).unlink()
        make(folder / name)

    return Case(name, spoil)


def _socket(path: Path) -> None:
    """Bound through the folder's descriptor, as a socket's path must be short."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _sparse(name: str, size: int) -> Case:
    return Case(name, lambda folder, good: os.truncate(folder / name, size))


def _half_terabyte(folder: Path, good: Good) -> None:
    """Header and length agree; only the shapes say that it is no adapter of this base."""
    columns = TERABYTE >> 5
    wide = {name: (shape[0], columns) if ".lora_A." in name else shape for name, shape in good.tensors().items()}
    header, size = header_of(wide)
    (folder / WEIGHTS).write_bytes(safetensors_file(header, b""))
    with (folder / WEIGHTS).open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) + size)


def _many_files(folder: Path, good: Good) -> None:
    for number in range(MANY_FILES):
        (folder / f"extra-{number:04}").touch()


def _no_folder(folder: Path, good: Good) -> None:
    shutil.rmtree(folder)


def _file_as_folder(folder: Path, good: Good) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"{}")


def _folder_inside(name: str) -> Write:
    return lambda folder, good: (folder / name).mkdir()


FILES: dict[str, Case] = {
    "a pickle beside the weights": _pickle_beside("adapter_model.bin"),
    "a pickle of torch beside the weights": _pickle_beside("adapter_model.pt"),
    "a pickle and no safetensors": _pickle_beside("adapter_model.bin", instead=True),
    "a pickle named safetensors": Case(WEIGHTS, _pickle_as_weights),
    "a pickle named configuration": Case(CONFIG, _pickle_as_config),
    "a tokenizer": _extra("tokenizer.json"),
    "added tokens": _extra("added_tokens.json", b'{"<new>": 32000}'),
    "a chat template": _extra("chat_template.jinja", b"{{ ''.__class__.__mro__ }}"),
    "code": _extra("modeling.py", b"import this"),
    "a training state": _extra("optimizer.pt"),
    "a hidden file": _extra(".hidden"),
    "a device of another system": _extra("CON"),
    "a path of another system": _extra("..\\adapter_config.json"),
    "a name that differs in case": _extra("ADAPTER_CONFIG.json"),
    "weights that differ in case": _extra("Adapter_Model.safetensors"),
    "a name that ends in a space": _extra("adapter_config.json "),
    "a name that looks alike": _extra("аdapter_config.json"),
    "a name of two lines": _extra("a\nb"),
    "a name that is not text": _extra(os.fsdecode(b"\xff\xfe")),
    "a name that turns around": _extra("\u202egpj.exe"),
    "the longest name": _extra("x" * 255),
    "5,000 files": Case("extra-0000", _many_files),
    "a folder of code": Case("__pycache__", _folder_inside("__pycache__")),
    "no configuration": _without(CONFIG),
    "no weights": _without(WEIGHTS),
    "no folder": Case("directory", _no_folder),
    "a file for a folder": Case("directory", _file_as_folder),
    "a link to the configuration": _linked(CONFIG),
    "a link to the weights": _linked(WEIGHTS),
    "a link to a secret": _linked(CONFIG, "/etc/passwd"),
    "a link to nowhere": _linked(WEIGHTS, "nowhere"),
    "a link to itself": _linked(WEIGHTS, WEIGHTS),
    "a link to endless zeros": _linked(WEIGHTS, "/dev/zero"),
    "a pipe for the weights": _replaced(WEIGHTS, os.mkfifo),
    "a pipe for the configuration": _replaced(CONFIG, os.mkfifo),
    "a socket for the weights": _replaced(WEIGHTS, _socket),
    "a folder for the weights": _replaced(WEIGHTS, Path.mkdir),
    "a folder for the configuration": _replaced(CONFIG, Path.mkdir),
    "a terabyte of nothing": _sparse(WEIGHTS, TERABYTE),
    "half a terabyte that its header announces": Case("model.layers.0.self_attn.q_proj", _half_terabyte),
    "a terabyte of configuration": _sparse(CONFIG, TERABYTE),
    "ten megabytes of configuration": _sparse(CONFIG, 10 << 20),
}
