"""What the pytest plugin does once a marker, an option or the fixture asks for it."""
