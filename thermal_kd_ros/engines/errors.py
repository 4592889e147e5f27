"""What goes wrong with engines."""


class EngineError(RuntimeError):
    """A network cannot be run here; the message says why and what to do."""
