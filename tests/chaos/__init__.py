"""Faults on purpose: workers killed and frozen, brokers gone, networks that cut, delay and hold; and what must hold."""
