"""Settings of property tests: never a failure because the machine is busy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

property_test = settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100
)
