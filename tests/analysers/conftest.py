from hypothesis import settings

# How long an example takes says something about the machine alone.
settings.register_profile("pubcellar", deadline=None)
settings.load_profile("pubcellar")
