"""Settings of all tests."""

import os

from hypothesis import settings

# No test is timed: a loaded machine must not fail a law that holds. The examples are the same in every run, so that a
# change is judged by what it changed; HYPOTHESIS_PROFILE=explore looks for new counterexamples.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
