"""A recording, the real node in its own process, DDS between them, and what came of it."""
