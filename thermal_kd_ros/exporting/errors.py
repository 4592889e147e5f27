"""What goes wrong with exporting."""


class ExportError(RuntimeError):
    """A model is not exported; the message says why and what to do."""
