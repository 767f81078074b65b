"""What all tests have in common."""

from hypothesis import settings

# How long an example takes says something about the machine, not about the project.
settings.register_profile("postern", deadline=None)
settings.load_profile("postern")
