"""govcloud: the resource manager of a city's government cloud."""

__version__ = "0.1.0"
