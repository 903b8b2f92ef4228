"""Disks that are filled to their last byte, without harm to anybody else's. Used by faults.py."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

DISKS = ("disk", "processes-disk")
OWN_DISK = "FAULTS_OWN_DISK"
MEGABYTES = 50  # a chain needs some five


def enter_own_disk() -> None:
    """Start this script again where it may mount a disk in memory, if this machine lets an ordinary user do so."""
    if OWN_DISK in os.environ or shutil.which("unshare") is None:
        return
    begin = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*begin, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0:
        os.environ[OWN_DISK] = "1"
        os.execvp("unshare", [*begin, sys.executable, *sys.argv])


def mount_disk(folder: Path) -> None:
    """Mount a disk of its own at a folder, where that may be done."""
    if OWN_DISK in os.environ:
        words = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "none", str(folder)]
        subprocess.run(words, check=True)


def fill_disk(folder: Path, command: int) -> None:
    """Leave not one byte on the disk of a folder; where it is no disk of its own, let a command's files not grow."""
    if not folder.is_mount():
        for each in (psutil.Process(command), *psutil.Process(command).children(recursive=True)):
            resource.prlimit(each.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        return
    with (folder / "filler").open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


def empty_disk(folder: Path) -> None:
    (folder / "filler").unlink(missing_ok=True)


def unmount_disk(folder: Path) -> None:
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)
