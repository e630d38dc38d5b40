"""The registry in a folder: immutable adapters, and the aliases that move between them.

    <root>/adapters/<engine name>/adapter_config.json, adapter_model.safetensors      written once, then read-only
    <root>/index.json                                                                 versions and aliases; replaced whole

Several processes may read while one writes: files appear by rename, writers take turns through a lock file.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.registry.base import Base
from adapters.registry.errors import BadName, DamagedAdapter, DamagedIndex, UnknownModel
from adapters.registry.manifest import Manifest
from adapters.registry.names import ALIAS, ENGINE_NAME, LIVE, ModelRef, check_community
from adapters.registry.safetensors_header import FILE as WEIGHTS
from adapters.registry.validation import CONFIG, validate

_EMPTY: dict[str, Any] = {"communities": {}}


class Registry:
    """Versions and aliases of all communities below `root`. Cheap to make; the index is read again only when it has changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen: tuple[int, int] | None = None
        self._index = _EMPTY

    @property
    def adapters(self) -> Path:
        """The folder that an engine reads adapters from."""
        return self.root / "adapters"

    def communities(self) -> tuple[str, ...]:
        return tuple(sorted(self._read()["communities"]))

    def manifests(self, community: str) -> tuple[Manifest, ...]:
        """All versions, oldest first; none for a community that is not known."""
        held = self._read()["communities"].get(community, {"versions": []})
        return tuple(Manifest.from_json(content) for content in held["versions"])

    def aliases(self, community: str) -> dict[str, int]:
        return dict(self._read()["communities"].get(community, {"aliases": {}})["aliases"])

    def resolve(self, ref: ModelRef) -> Manifest:
        """The adapter that `ref` means now. Raises UnknownModel."""
        version = ref.version if ref.version is not None else self.aliases(ref.community).get(ref.alias)
        for manifest in self.manifests(ref.community):
            if manifest.version == version:
                return manifest
        raise UnknownModel(f"There is no adapter {str(ref)!r}.")

    def publish(self, community: str, directory: Path, *, base: Base, max_rank: int) -> Manifest:
        """Validate and store the adapter in `directory` as the community's next version; the same bytes keep their version.

        No alias moves. Raises BadName or InvalidAdapter; nothing is stored then.
        """
        check_community(community)
        adapter = validate(directory, base, max_rank=max_rank)
        self.adapters.mkdir(parents=True, exist_ok=True)
        with self._writing() as index, tempfile.TemporaryDirectory(dir=self.root, prefix=".publish-") as scratch:
            staged = Path(scratch, "adapter")
            staged.mkdir()
            (staged / CONFIG).write_bytes(adapter.config)
            shutil.copyfile(adapter.weights, staged / WEIGHTS)
            digest = digest_of(staged)
            held = index["communities"].setdefault(community, {"versions": [], "aliases": {}})
            for content in held["versions"]:
                if content["digest"] == digest:
                    known = Manifest.from_json(content)
                    _settle(staged, self.adapters / known.engine_name)  # heals files that were lost or damaged
                    return known
            manifest = Manifest(
                community=community,
                version=len(held["versions"]) + 1,
                digest=digest,
                base_fingerprint=base.fingerprint,
                rank=adapter.rank,
                alpha=adapter.alpha,
                target_modules=adapter.target_modules,
                size_bytes=adapter.size_bytes,
                published_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            _settle(staged, self.adapters / manifest.engine_name)
            held["versions"].append(manifest.to_json())
        return manifest

    def promote(self, community: str, version: int, alias: str = LIVE) -> Manifest:
        """Point `alias` at `version`. Raises BadName or UnknownModel."""
        if not ALIAS.fullmatch(alias):
            raise BadName(f"{alias[:80]!r} cannot be an alias: use lower-case letters, digits and dashes.")
        manifest = self.resolve(ModelRef(check_community(community), version=version))
        with self._writing() as index:
            index["communities"][community]["aliases"][alias] = version
        return manifest

    def _read(self) -> dict[str, Any]:
        path = self.root / "index.json"
        try:
            stat = path.stat()
        except FileNotFoundError:
            return _EMPTY
        if self._seen != (stat.st_ino, stat.st_mtime_ns):
            self._index = _parse_index(path)
            self._seen = (stat.st_ino, stat.st_mtime_ns)
        return self._index

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Any]]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = json.dumps(self._read(), indent=1, sort_keys=True)
            index = json.loads(before)
            yield index
            after = json.dumps(index, indent=1, sort_keys=True)
            if after != before:
                with tempfile.NamedTemporaryFile("w", dir=self.root, prefix=".index-", delete=False) as file:
                    file.write(after)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(file.name, self.root / "index.json")


def _parse_index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_bytes())
        for held in index["communities"].values():
            _ = [Manifest.from_json(content) for content in held["versions"]], dict(held["aliases"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise DamagedIndex(f"{path} is damaged: put a copy of it back, or move it away and publish the adapters again.") from exc
    checked: dict[str, Any] = index
    return checked


def digest_of(directory: Path) -> str:
    """The digest of an adapter: sha256 over the names and sha256 sums of its two files."""
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        with (directory / name).open("rb") as file:
            digest.update(f"{name}:{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return "sha256:" + digest.hexdigest()


def verified_path(adapters: Path, name: str) -> Path | None:
    """Where the adapter with engine name `name` lies, its bytes checked against the digest in the name; None if there is none.

    A string that is not an engine name is refused before the file system is touched. Raises DamagedAdapter.
    """
    if not ENGINE_NAME.fullmatch(name):
        return None
    directory = adapters / name
    if not directory.is_dir() or directory.is_symlink():
        return None
    try:
        digest = digest_of(directory)
    except OSError as exc:
        raise DamagedAdapter(f"The adapter {name} cannot be read ({exc.strerror}): publish it again.") from exc
    if not name.endswith("-" + digest.removeprefix("sha256:")[:16]):
        raise DamagedAdapter(f"The stored bytes of {name} are not the ones that were published: publish the adapter again.")
    return directory


def _settle(staged: Path, target: Path) -> None:
    """Move a staged adapter to its place for good. Bytes that are there already are the same bytes, or damaged ones."""
    for file in staged.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        file.chmod(0o444)
    if target.exists():
        shutil.rmtree(target)
    os.replace(staged, target)
