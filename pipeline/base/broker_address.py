"""Addresses of streams that a broker keeps, as the keys of a command name them."""

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from pipeline.base.errors import UserError
from pipeline.base.text import hide_password

PASSWORD = "LSTM_PIPELINE_REDIS_PASSWORD"  # noqa: S105 - the name of the variable
KAFKA_SETTINGS = "LSTM_PIPELINE_KAFKA_"  # and SASL_PASSWORD, SECURITY_PROTOCOL, ...: how variables begin
REDIS_ADDRESS = "redis://HOST:PORT/DATABASE?stream=NAME"
KAFKA_ADDRESS = "kafka://HOST:PORT/TOPIC"
_SCHEMES = ("redis", "rediss", "kafka")


@dataclass(frozen=True)
class Address:
    """Where a stream is.

    Attributes:
        shown: As it was written.
        server: Of Redis the same without the stream; of Kafka HOST:PORT, or several with commas between.
        stream: Its name; of Kafka the topic.
        is_kafka: Whether it is a topic of Kafka.
    """

    shown: str
    server: str
    stream: str
    is_kafka: bool = False


def read_address(key: str, text: str) -> Address:
    """Read redis://HOST:PORT/DATABASE?stream=NAME, or kafka://HOST:PORT/TOPIC.

    Raises:
        UserError: If it is none; `key` is what it was given as.
    """
    parts = urlsplit(text)
    if parts.scheme not in _SCHEMES:
        raise UserError(
            f"{key}={text}: '{parts.scheme}' is none of {', '.join(_SCHEMES)}; write {REDIS_ADDRESS} or {KAFKA_ADDRESS}"
        )
    is_kafka = parts.scheme == "kafka"
    if parts.password is not None:
        variable = f"{KAFKA_SETTINGS}SASL_PASSWORD" if is_kafka else PASSWORD
        raise UserError(f"{key}={hide_password(text)}: a password in it shows in lists of processes; set {variable}")
    return _read_kafka(key, text, parts) if is_kafka else _read_redis(key, text, parts)


def _read_redis(key: str, text: str, parts: SplitResult) -> Address:
    asked = parse_qs(parts.query, keep_blank_values=True)
    if unknown := sorted(asked.keys() - {"stream"}):
        raise UserError(f"{key}={text}: unknown '{unknown[0]}'; write {REDIS_ADDRESS}")
    if not parts.hostname or [bool(name) for name in asked.get("stream", [])] != [True]:
        raise UserError(f"{key}={text} names no {'stream' if parts.hostname else 'server'}; write {REDIS_ADDRESS}")
    return Address(text, urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), asked["stream"][0])


def _read_kafka(key: str, text: str, parts: SplitResult) -> Address:
    topic = parts.path[1:]
    if parts.query or parts.fragment or parts.username is not None:
        raise UserError(
            f"{key}={text}: an address has nothing but {KAFKA_ADDRESS}; a user is set by {KAFKA_SETTINGS}SASL_USERNAME"
        )
    if not parts.netloc or not topic or "/" in topic:
        raise UserError(f"{key}={text} names no {'topic' if parts.netloc else 'server'}; write {KAFKA_ADDRESS}")
    return Address(text, parts.netloc, topic, is_kafka=True)
