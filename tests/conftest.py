"""Settings of all tests."""

from hypothesis import settings

# No test is timed: a loaded machine must not fail a law that holds.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
