"""Suites that every implementation of a protocol inherits."""

import pytest

pytest.register_assert_rewrite(
    "tests.contracts.backend", "tests.contracts.client", "tests.contracts.client_faults"
)
