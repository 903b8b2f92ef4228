"""Where compiled programs are kept: a folder that only this user and this processor write."""

import errno
import os
import time
from pathlib import Path

import pytest

from pipeline.base import programs
from pipeline.base.environment import prepare_environment
from pipeline.base.programs import cache_folder, forget_programs


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TF_XLA_FLAGS", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")


def kept_in() -> Path:
    """Return the folder that XLA is told of, which may have another name."""
    flag, _, name = os.environ["TF_XLA_FLAGS"].rpartition("=")
    assert flag == "--tf_xla_persistent_cache_directory"
    return Path(name).resolve()


def test_programs_are_kept_in_the_users_cache_folder(tmp_path) -> None:
    """A repeated sweep would compile everything again, or other users could read and write what is run."""
    prepare_environment()
    assert tmp_path in cache_folder().parents
    assert kept_in() == cache_folder()
    assert cache_folder().stat().st_mode & 0o777 == 0o700


def test_other_flags_and_another_folder_of_the_user_stay(monkeypatch) -> None:
    """What the user told XLA would be lost."""
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_clustering_debug")
    prepare_environment()
    assert os.environ["TF_XLA_FLAGS"].startswith("--tf_xla_clustering_debug --tf_xla_persistent_cache_directory=")
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=/mine")
    prepare_environment()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_persistent_cache_directory=/mine"


def test_a_folder_that_others_may_write_is_not_used() -> None:
    """Somebody else could put a program there, which would be run."""
    cache_folder().mkdir(parents=True)
    cache_folder().chmod(0o777)
    prepare_environment()
    assert "TF_XLA_FLAGS" not in os.environ


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path, monkeypatch) -> None:
    """A read-only home would end every run before it starts."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    prepare_environment()
    assert "TF_XLA_FLAGS" not in os.environ


def test_the_oldest_programs_are_forgotten(monkeypatch) -> None:
    """The cache would fill the disk of somebody who sweeps every day."""
    cache_folder().mkdir(parents=True, mode=0o700)
    for age, name in enumerate(("new", "older", "oldest")):
        (cache_folder() / name).write_bytes(bytes(40))
        os.utime(cache_folder() / name, (1000 - age, 1000 - age))
    monkeypatch.setattr(programs, "_MOST_CACHED", 100)
    prepare_environment()
    assert sorted(file.name for file in cache_folder().iterdir()) == ["new", "older"]


def test_broken_programs_are_forgotten() -> None:
    """An empty file in the cache, left by a full disk, fails every later training of that network."""
    cache_folder().mkdir(parents=True, mode=0o700)
    for name, size, age in (("empty.pb", 0, 0), ("old.pb.tmp", 9, 7200), ("written.pb.tmp", 0, 0), ("whole.pb", 9, 0)):
        (cache_folder() / name).write_bytes(bytes(size))
        then = time.time() - age
        os.utime(cache_folder() / name, (then, then))
    prepare_environment()
    assert {file.name for file in cache_folder().iterdir()} == {"written.pb.tmp", "whole.pb"}


def test_a_full_disk_keeps_no_programs(monkeypatch) -> None:
    """XLA fails the training whose program it cannot keep."""
    monkeypatch.setattr(programs, "_FREE_NEEDED", 1 << 62)
    prepare_environment()
    assert "TF_XLA_FLAGS" not in os.environ


def test_a_full_quota_keeps_no_programs(monkeypatch) -> None:
    """As a full disk, but the disk says that it has space."""

    def refuse(dir: Path) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(programs.tempfile, "TemporaryFile", refuse)
    prepare_environment()
    assert "TF_XLA_FLAGS" not in os.environ


def test_programs_are_compiled_again_only_after_an_error_of_their_cache() -> None:
    """A program that cannot be read fails every training, or any error costs all programs and a second training."""
    prepare_environment()
    (cache_folder() / "whole.pb").write_bytes(bytes(9))
    assert not forget_programs("the loss is nan")
    assert list(cache_folder().iterdir())
    assert forget_programs("Serialized cache key does not match. [Op:__inference_train_132144]")
    assert not list(cache_folder().iterdir())


def test_where_the_cache_is_full_programs_go_elsewhere(monkeypatch) -> None:
    """A disk that fills up in the middle of a sweep fails every training of it, though another disk has space."""
    prepare_environment()
    name = os.environ["TF_XLA_FLAGS"]
    (cache_folder() / "whole.pb").write_bytes(bytes(9))

    def is_full(folder: Path) -> None:
        if folder == cache_folder():
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(programs, "_check_space", is_full)
    told = forget_programs("xla_compile_cache__1__XLA_CPU_JIT.pb.tmp; No space left on device")
    place = kept_in()
    assert (
        told == f"no space for compiled programs in {cache_folder()}; until this command ends they are kept in {place}"
    )
    assert place != cache_folder() and not list(cache_folder().iterdir())
    assert place.stat().st_mode & 0o777 == 0o700
    prepare_environment()  # of the next job: XLA has read its flags
    assert os.environ["TF_XLA_FLAGS"] == name and kept_in() == place
    assert forget_programs("xla_compile_cache__2: cannot be read") and kept_in() == place


def test_where_every_disk_is_full_the_cache_stays(monkeypatch) -> None:
    """A second failure, of the search for space, hides the first; or programs lead nowhere."""
    prepare_environment()

    def is_full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(programs, "_check_space", is_full)
    assert forget_programs("xla_compile_cache__1: No space left on device")
    assert kept_in() == cache_folder()


def test_a_worker_has_a_folder_of_its_own() -> None:
    """A process that inherits the name of a folder that another one has open cannot train when that one has ended."""
    os.environ["TF_XLA_FLAGS"] = "--tf_xla_clustering_debug --tf_xla_persistent_cache_directory=/proc/1/fd/999"
    prepare_environment()
    assert os.environ["TF_XLA_FLAGS"].startswith(
        f"--tf_xla_clustering_debug --tf_xla_persistent_cache_directory=/proc/{os.getpid()}/fd/"
    )


def test_programs_in_a_folder_of_the_user_are_not_removed(monkeypatch, tmp_path) -> None:
    """What somebody keeps in a folder of their own is lost, or our programs are, which have nothing to do with it."""
    prepare_environment()
    (tmp_path / "mine.pb").write_bytes(bytes(9))
    (cache_folder() / "ours.pb").write_bytes(bytes(9))
    monkeypatch.setenv("TF_XLA_FLAGS", f"--tf_xla_persistent_cache_directory={tmp_path}")
    assert forget_programs("xla_compile_cache__1: No space left on device") is None
    assert (tmp_path / "mine.pb").exists() and (cache_folder() / "ours.pb").exists()
