"""Real servers under load."""
