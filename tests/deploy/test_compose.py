"""The containers of a team: what can be said of them without a docker daemon; docs/how-to/team.md says what was run."""

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
SECRET = re.compile(r"PASSWORD|SECRET|KEY")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_no_password_stands_in_a_file(services: dict[str, Any]) -> None:
    """A password is committed, or a server starts with an empty one that everybody can guess."""
    for service in services.values():
        for name, value in (service.get("environment") or {}).items():
            if SECRET.search(name):
                assert value is None or re.fullmatch(r"\$\{\w+:\?set \w+ in the environment\}", value), name
    required = {"POSTGRES_PASSWORD", "MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"}
    assert required <= set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    accounts = configparser.ConfigParser()
    accounts.read(ROOT / "deploy" / "basic_auth.ini")
    assert "admin_password" not in accounts["mlflow"] and ":" not in accounts["mlflow"]["database_uri"].split("//")[1]


def test_the_server_is_reached_from_this_machine_only(services: dict[str, Any]) -> None:
    """An unencrypted server is open to the network by default; or the database is open to anybody."""
    assert [port.partition(":5000")[0] for port in services["server"]["ports"]] == ["${BIND:-127.0.0.1}"]
    assert "ports" not in services["database"] and "ports" not in services["program"]


def test_the_server_of_containers_and_of_make_is_the_same(services: dict[str, Any]) -> None:
    """A team that moves from one to the other finds other accounts, or artifacts that only the server's disk knows."""
    script = (ROOT / "deploy" / "server.py").read_text()
    for words in ('"--app-name", "basic-auth"', '"--serve-artifacts"', '"--backend-store-uri"'):
        assert words in script and words in DOCKERFILE
    assert "deploy/basic_auth.ini" in DOCKERFILE and '"basic_auth.ini"' in script
    assert services["server"]["depends_on"]["database"]["condition"] == "service_healthy"


def test_what_is_built_and_mounted_is_there(services: dict[str, Any]) -> None:
    """`docker compose up` fails on a file or a stage that was renamed, or that the builder is not given."""
    stages = re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert stages == ["base", "server", "program"]  # the last one is what is built without a target
    given = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for words in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for word in words.split()}
    assert {word.split("/")[0] for word in copied} == given
    assert all((ROOT / word).exists() for word in copied)
    for service in services.values():
        if "build" in service:
            assert service["build"]["target"] in stages
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).is_file()


def test_images_install_what_make_installs_and_run_as_nobody(services: dict[str, Any]) -> None:
    """An image has other versions than the tests ran with, or its programs are root."""
    installs = re.findall(r"pip install (?:[^\\\n]|\\\n)+", DOCKERFILE)
    assert len(installs) == 3 and all("constraints.txt" in each for each in installs)
    for stage in DOCKERFILE.split("\nFROM ")[2:]:
        assert "\nUSER lstm\n" in stage and stage.index("USER lstm") < stage.index("ENTRYPOINT")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"excel", "gpu", "server"} <= set(extras)
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {"psycopg", "psycopg-binary", "flask-wtf", "boto3", "mlflow", "nvidia-cudnn-cu12"} <= pinned


def test_the_program_needs_no_account_of_its_own_and_no_git() -> None:
    """Each run warns of git, and with `--user` of an unknown number also of getpwuid and of matplotlib's folder."""
    words = re.findall(r"^ENV (.+)$", DOCKERFILE.split(" AS program\n")[1], re.MULTILINE)
    environment = dict(word.split("=") for line in words for word in line.split())
    assert environment == {"GIT_PYTHON_REFRESH": "quiet", "USER": "lstm", "HOME": "/tmp"}


def test_secrets_and_data_do_not_go_to_the_builder() -> None:
    """Databases, runs and whatever lies in the folder are baked into an image that others get."""
    lines = Path(ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
