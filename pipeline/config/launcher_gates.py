"""The second gate for the keys of launchers that have keys of their own."""

import re
from collections.abc import Iterator

from pipeline.config.schema import RayConfig, SlurmConfig

# Long options of sbatch that the launcher gives itself, with what to do instead.
_OWN = {
    "partition": "give slurm.partition", "time": "give slurm.time (minutes)", "mem": "give slurm.memory (GB)",
    "cpus-per-task": "give slurm.cpus", "requeue": "give slurm.requeue", "no-requeue": "give slurm.requeue",
    "output": "give slurm.folder",
} | dict.fromkeys(
    (
        "array", "chdir", "clusters", "error", "export", "export-file", "input", "job-name", "nodes", "ntasks",
        "open-mode", "parsable", "test-only", "wait", "wrap",
    ),
    "",
)  # fmt: skip


def complain_of_ray(ray: RayConfig) -> Iterator[str]:
    """Yield what is wrong."""
    if ray.cores is not None and ray.cores < 1:
        yield f"ray.cores must be at least 1, or null for as many as a job can use, but got ray.cores={ray.cores}"
    if ray.memory is not None and not 0 < ray.memory < float("inf"):
        yield f"ray.memory must be above 0 (GB), or null for what a job needs, but got ray.memory={ray.memory}"


def complain_of_slurm(slurm: SlurmConfig) -> Iterator[str]:
    """Yield what is wrong: beside settings of the same jobs nothing may be added, no command, file or environment."""
    for key, number in {"time": slurm.time, "cpus": slurm.cpus}.items():
        if number is not None and number < 1:
            yield f"slurm.{key} must be at least 1, but got slurm.{key}={number}"
    if slurm.memory is not None and not 0 < slurm.memory < float("inf"):
        yield f"slurm.memory must be above 0 (GB), or null for Slurm's default, but got slurm.memory={slurm.memory}"
    if not isinstance(slurm.extra, dict | None):
        yield f"slurm.extra must be a dictionary such as {{qos:high}}, or null, but got slurm.extra={slurm.extra}"
        return
    for name, value in (slurm.extra or {}).items():
        if re.fullmatch(r"[a-z][a-z0-9-]*", str(name)) is None or not isinstance(value, str | int | float | bool):
            yield (
                f"slurm.extra holds long options of sbatch, each with one value, e.g. slurm.extra={{account:physics}}, "
                f"but got {name!r}: {value!r}"
            )
        elif name in _OWN:
            yield f"slurm.extra must not hold {name}, which the launcher sets; {_OWN[name] or 'leave it out'}"
