"""Run PostgreSQL and `mlflow server` for a small team, without containers: what compose.yaml does with them.

make server FOLDER=/srv/lstm                              on 127.0.0.1:5000, until Ctrl-C
make server FOLDER=/srv/lstm ARGS="--host 0.0.0.0 --port 8000 --workers 4"

FOLDER/database     the PostgreSQL cluster
FOLDER/artifacts    files of runs, which the server receives and hands out
FOLDER/logs         what both say

Passwords come from the environment only: POSTGRES_PASSWORD opens the database, MLFLOW_AUTH_ADMIN_PASSWORD makes the
user admin at the first start. The two processes are started again when they die; the data stay in FOLDER.
"""

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

DATABASE_PASSWORD, ADMIN_PASSWORD = "POSTGRES_PASSWORD", "MLFLOW_AUTH_ADMIN_PASSWORD"
PATIENCE_SECONDS = 300
STEADY_SECONDS = 10  # who lives longer has started well
MOST_DEATHS = 5  # of a process that never lives so long: the next time will not be better
USER = "mlflow"  # of the database
DATABASES = ("mlflow", "auth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="keeps database, artifacts and logs")
    parser.add_argument("--host", default="127.0.0.1", help="interface of the MLflow server (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=5000, help="of the MLflow server (default 5000)")
    parser.add_argument("--database-port", type=int, help="of PostgreSQL, on 127.0.0.1 (default: a free one)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the MLflow server (default 2)")
    parser.add_argument("--artifacts", help="where files of runs go, e.g. s3://bucket/path (default FOLDER/artifacts)")
    arguments = parser.parse_args()
    for name in (DATABASE_PASSWORD, ADMIN_PASSWORD):
        if not os.environ.get(name):
            parser.error(f"{name} is not set; passwords come from the environment only: export {name}=...")
    for package in ("psycopg", "flask_wtf"):
        if find_spec(package) is None:
            parser.error(f"the package {package} is not installed: pip install -c constraints.txt -e '.[server]'")
    if arguments.artifacts:
        from pipeline.base.errors import UserError
        from pipeline.tracking.bucket import check_bucket  # imports MLflow, 1 s

        try:
            check_bucket(arguments.artifacts)
        except UserError as error:
            parser.error(str(error))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = arguments.folder.resolve()
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    port = arguments.database_port or free_port()
    database = Service(folder / "logs" / "database.log", database_words(folder / "database", port), {}, owner())
    settings = {
        **{"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": USER, "PGPASSWORD": os.environ[DATABASE_PASSWORD]},
        "MLFLOW_AUTH_CONFIG_PATH": str(Path(__file__).with_name("basic_auth.ini")),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # MLflow starts uvicorn by its name
    }
    server = Service(folder / "logs" / "mlflow.log", server_words(folder, arguments), settings)
    address = f"http://{arguments.host}:{arguments.port}"
    try:
        database.start()
        wait_until(lambda: make_databases(settings), database)
        server.start()
        wait_until(lambda: answers(address), server)
        print(f"MLflow on {address}, files and logs in {folder}. Ctrl-C ends it. To train with it:")
        print(f"export MLFLOW_TRACKING_URI={address} MLFLOW_TRACKING_USERNAME=admin MLFLOW_TRACKING_PASSWORD=...")
        sys.stdout.flush()
        while True:
            time.sleep(0.5)
            for service in (database, server):
                service.revive()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop(signal.SIGTERM)
        database.stop(signal.SIGINT)  # PostgreSQL's fast shutdown
    print("stopped")


@dataclass
class Service:
    """A process that is started again when it dies."""

    log: Path
    words: list[str]
    settings: dict[str, str]
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0

    def start(self) -> None:
        self.started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.words,
                cwd=self.log.parent,
                env={**os.environ, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                start_new_session=True,
            )

    def revive(self) -> None:
        if self.process is None or self.process.poll() is None:
            return
        self.deaths = self.deaths + 1 if time.monotonic() - self.started < STEADY_SECONDS else 1
        if self.deaths == MOST_DEATHS:
            sys.exit(f"error: {Path(self.words[0]).name} ended with {self.process.returncode}; see {self.log}")
        print(f"{Path(self.words[0]).name} ended with {self.process.returncode}: started again", file=sys.stderr)
        self.kill_children()
        self.start()

    def stop(self, number: int) -> None:
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.kill_children()

    def kill_children(self) -> None:
        """End what a dead process has left: a worker of the server would keep its port."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


def database_words(folder: Path, port: int) -> list[str]:
    """Make the cluster if there is none, and return the command that serves it."""
    if not (folder / "PG_VERSION").exists():
        make_cluster(folder)
    return [find_program("postgres"), "-D", str(folder), "-p", str(port), "-h", "127.0.0.1", "-k", ""]


def make_cluster(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    password = folder.with_name(".password")
    try:
        password.touch(mode=0o600)
        password.write_text(os.environ[DATABASE_PASSWORD])
        for path in (folder, password) if owner() is not None else ():
            shutil.chown(path, owner())
        words = [find_program("initdb"), "-D", folder, "-U", USER, "-A", "scram-sha-256", "--pwfile", password]
        made = subprocess.run(words, capture_output=True, text=True, user=owner(), cwd=folder)
    finally:
        password.unlink()
    if made.returncode != 0:
        sys.exit(f"error: PostgreSQL cannot make its cluster in {folder}: {made.stderr.strip()}")


def make_databases(settings: dict[str, str]) -> bool:
    """Make what is missing; False while PostgreSQL does not answer."""
    import psycopg

    where = {key.removeprefix("PG").lower(): value for key, value in settings.items() if key.startswith("PG")}
    try:
        with psycopg.connect(**where, dbname="postgres", autocommit=True) as connection:
            there = {name for (name,) in connection.execute("select datname from pg_database")}
            for name in sorted(set(DATABASES) - there):
                connection.execute(f'create database "{name}"')
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            sys.exit(f"error: {DATABASE_PASSWORD} is not the password with which the database was made")
        return False
    return True


def server_words(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Return the command of the MLflow server; no password is in it, since everybody may list processes."""
    return [
        *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"),
        *("--host", arguments.host, "--port", str(arguments.port), "--workers", str(arguments.workers)),
        *("--backend-store-uri", f"postgresql+psycopg:///{DATABASES[0]}"),
        *("--serve-artifacts", "--artifacts-destination", arguments.artifacts or (folder / "artifacts").as_uri()),
    ]


def wait_until(is_ready: Callable[[], bool], service: Service) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_ready():
        if service.process is None or service.process.poll() is not None or time.monotonic() > end:
            sys.exit(f"error: {Path(service.words[0]).name} did not start; see {service.log}")
        time.sleep(0.2)


def answers(address: str) -> bool:
    with suppress(OSError):
        urllib.request.urlopen(f"{address}/health", timeout=5).close()  # noqa: S310 - an address of ours
        return True
    return False


def find_program(name: str) -> str:
    """Debian keeps the programs of PostgreSQL off the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(debian[-1]) if debian else shutil.which(name)
    if found is None:
        sys.exit(f"error: PostgreSQL's {name} was not found: apt-get install postgresql")
    return found


def owner() -> str | None:
    """PostgreSQL refuses to run as root; Debian's package makes a user for it."""
    return "postgres" if os.getuid() == 0 else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
