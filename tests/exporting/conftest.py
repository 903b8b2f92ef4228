"""The served models of tests/serving."""

from tests.serving.conftest import make_served

__all__ = ["make_served"]
