"""Clients of Kafka, with what environment variables say; the only place that imports confluent_kafka."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipeline.base.broker_address import KAFKA_SETTINGS, Address
from pipeline.base.errors import PipelineError, UserError

SECONDS_TO_ANSWER = 10.0
_KINDS = ("sasl", "security", "ssl")  # of settings that variables may have
_PUBLIC = ("MECHANISM", "MECHANISMS", "PROTOCOL", "USERNAME", "LOCATION")  # ends of variables that may be shown


class LostError(Exception):
    """A broker that does not answer; the text says why."""


class Kafka:
    """One client of the library, and why its broker does not answer.

    Args:
        kind: Name of its class: Consumer or Producer.
        address: Where the broker is.
        settings: Names and values of librdkafka.

    Attributes:
        library: The module confluent_kafka.
        handle: The library's client.
        why: The newest error of a connection; empty where there was none since this was emptied.

    Raises:
        UserError: If the package is missing, or refuses a setting.
    """

    def __init__(self, kind: str, address: Address, settings: Mapping[str, Any]) -> None:
        try:
            import confluent_kafka
        except ImportError:
            raise UserError("kafka:// needs the package confluent-kafka: pip install 'lstm-pipeline[kafka]'") from None
        self.library: Any = confluent_kafka
        self.why, self._shown = "", address.shown
        given = _read_settings()
        named = {name: os.environ[variable] for name, variable in given.items()}
        own = {
            "bootstrap.servers": address.server,
            "client.id": "lstm-pipeline",
            "log_level": 0,
            "error_cb": self._note,
        }
        try:
            self.handle: Any = getattr(self.library, kind)({**named, **own, **settings})
        except (self.library.KafkaException, ValueError, TypeError) as error:
            names = f"; look at {', '.join(given.values())}" if given else ""
            raise UserError(f"{address.shown} cannot be used ({_say(error, given)}){names}") from None

    def place(self, topic: str, partition: int, offset: int = 0) -> Any:
        """Return a place in a topic as the library names it."""
        return self.library.TopicPartition(topic, partition, offset)

    @contextmanager
    def lost(self) -> Iterator[None]:
        """Raise LostError where the library raises its own in the block.

        Raises:
            PipelineError: If another client has taken the place of this one.
        """
        try:
            yield
        except self.library.KafkaException as error:
            if error.args[0].code() == self.library.KafkaError._FENCED:
                raise PipelineError(
                    f"{self._shown} takes no answers any more: someone else writes there, or it was waited for too long"
                ) from None
            raise LostError(self.why or _say(error, {})) from None

    def _note(self, error: Any) -> None:
        if not self.why or error.code() != self.library.KafkaError._ALL_BROKERS_DOWN:  # which says no reason
            self.why = error.str()


def _read_settings() -> dict[str, str]:
    """Return the settings that environment variables give, by name, each with its variable."""
    found = {}
    for variable, value in os.environ.items():
        name = variable.removeprefix(KAFKA_SETTINGS).lower().replace("_", ".")
        if variable.startswith(KAFKA_SETTINGS) and value:
            if name.split(".")[0] not in _KINDS:
                raise UserError(
                    f"{variable}: only settings of librdkafka that begin with {', '.join(_KINDS)} can be set"
                )
            found[name] = variable
    return dict(sorted(found.items()))


def _say(error: Exception, given: Mapping[str, str]) -> str:
    """Return the text of an error without what variables hold that nobody should see."""
    first = error.args[0] if error.args else error
    text = str(first.str() if hasattr(first, "str") else first)
    for variable in given.values():
        if not variable.endswith(_PUBLIC):
            text = text.replace(os.environ[variable], "***")
    return text
