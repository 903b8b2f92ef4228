"""Strike small sweeps at random moments, repeat them with resume=true, and say what was lost.

make bench-faults                                   4 kills of every kind, some minutes
make bench-faults ARGS="--kills 20 --seed 7"        more of them, other moments
make bench-faults ARGS="--kills 20 --kinds processes-worker,slurm-node"   of these kinds

One chain: a sweep in an empty folder is struck, then the same words with resume=true and some configurations more, and
so on, four times (--chain); then the last words are repeated and left alone, and `compare` reads the store. So a kill
costs little more than one command. After every kill: no configuration is FINISHED twice, no FINISHED run is gone, the
exit code is as documented, nothing that is printed contains a traceback, and a sweep that ended with 0 lacks nothing.
In the end: one FINISHED run per configuration with files that can be read, no run and no sweep left RUNNING, exit code
0, and `compare` answers for every configuration.

kill     SIGKILL: nothing can be written any more
term     SIGTERM, as a cluster, a container or `kill` sends it: exit code 143, run and sweep are KILLED
int      SIGINT, Ctrl-C: exit code 130
hup      SIGHUP, a lost terminal: exit code 129
disk     the disk of the folder is filled to its last byte, and emptied before the sweep is repeated. With `unshare`
         (util-linux, an ordinary user) on a disk of its own in memory, else by a limit to the size of a file

Only when they are named in --kinds, since they need more: deaths with launcher=processes and launcher=slurm, see
launcher_faults.py, with launcher=ray, see ray_faults.py, and what happens to a server, see server_faults.py.
Each kill and each end of a chain is told on stderr as it comes. The tables count chains that came to their end.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.fault_chain import Chain
from benchmarks.fault_checks import SIGNALS, Fault
from benchmarks.fault_disk import DISKS, enter_own_disk
from benchmarks.fault_places import CODES, open_places

KINDS = (*SIGNALS, "disk")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=4, help="how often each kind strikes (default 4)")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"which, in turn: {', '.join((*KINDS, *CODES))}")
    parser.add_argument("--chain", type=int, default=4, help="kills before a sweep is left alone (default 4)")
    parser.add_argument("--minutes", type=float, default=1e9, help="after so many nothing is struck any more")
    parser.add_argument("--jobs", type=int, choices=(2, 4), default=4, help="each command trains so many (default 4)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (default 1)")
    parser.add_argument("--ended", type=int, help="hit while a job runs after so many have ended, not at any moment")
    parser.add_argument("--frozen", type=float, default=20, help="seconds that server-frozen lasts (default 20)")
    parser.add_argument("--away", type=float, default=60, help="seconds that server-killed lasts (default 60)")
    parser.add_argument("--folder", type=Path, help="keep the stores in this empty folder; default: a temporary one")
    parser.add_argument("--forks", action="store_true", help="fork commands from a process that has imported all of it")
    arguments = parser.parse_args()
    kinds = arguments.kinds.split(",")
    if unknown := set(kinds) - {*KINDS, *CODES}:
        parser.error(f"unknown kind {', '.join(sorted(unknown))}; choose from {', '.join((*KINDS, *CODES))}")
    if set(DISKS) & set(kinds):
        enter_own_disk()
    faults: list[Fault] = []
    try:
        for chain in run_chains(arguments, kinds):
            faults += chain
    finally:
        print_table(faults)
    sys.exit(1 if any(each.lost for each in faults) else 0)


def run_chains(arguments: argparse.Namespace, kinds: Sequence[str]) -> Iterator[list[Fault]]:
    """Give the faults of one chain after the other."""
    chance = random.Random(arguments.seed)
    end = time.monotonic() + 60 * arguments.minutes
    opened = open_places(kinds, arguments.frozen, arguments.away)
    with tempfile.TemporaryDirectory() as scratch, opened as places:
        root = arguments.folder or Path(scratch)
        root.mkdir(parents=True, exist_ok=True)
        for number, (kind, kills) in enumerate(share(kinds, arguments.kills, arguments.chain), 1):
            if time.monotonic() > end:
                return
            folder = root / f"chain_{number}"
            chain = Chain(kind, folder, places[kind], chance, arguments.jobs, arguments.ended, arguments.forks)
            faults: list[Fault] = []
            while not faults or (len(faults) < kills and time.monotonic() < end):
                fault = chain.strike()
                faults.append(fault)
                tell(
                    f"chain {number}, {kind} {len(faults)}/{kills}, {fault.moment}, exit code {fault.code}", fault.lost
                )
            lost = chain.leave_alone()
            tell(f"chain {number}, {kind}, left alone", lost)
            faults[-1].lost += lost
            yield faults


def tell(what: str, lost: Sequence[str]) -> None:
    print(f"{what}: {'; '.join(lost) or 'nothing lost'}", file=sys.stderr, flush=True)


def share(kinds: Sequence[str], kills: int, length: int) -> Iterator[tuple[str, int]]:
    """Give the kinds in turn, with the kills of a chain, until each has all of its own."""
    for begun in range(0, kills, length):
        for kind in kinds:
            yield kind, min(length, kills - begun)


def print_table(faults: Sequence[Fault]) -> None:
    print(f"{'fault':<18}{'moment':<24}{'exit':>5}  {'finished before':>15}  lost")
    for each in faults:
        told = "; ".join(each.lost) or "nothing"
        print(f"{each.kind:<18}{each.moment:<24}{each.code!s:>5}  {each.finished_before:>15}  {told}")
    print(f"\n{'fault':<18}{'sweeps':>6}{'hit':>5}{'lost':>6}")
    for kind in dict.fromkeys(each.kind for each in faults):
        own = [each for each in faults if each.kind == kind]
        print(f"{kind:<18}{len(own):>6}{sum(each.is_hit for each in own):>5}{sum(bool(each.lost) for each in own):>6}")
    hits = sum(each.is_hit for each in faults)
    print(f"{hits} faults in {len(faults)} sweeps, {sum(bool(each.lost) for each in faults)} of them lost something")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and clusters are ended, the table is printed
    for ignored in (signal.SIGHUP, signal.SIGINT):  # by `nohup`, by a script's `&`; what is struck would ignore it, too
        signal.signal(ignored, signal.SIG_DFL if ignored is signal.SIGHUP else signal.default_int_handler)
    main()
