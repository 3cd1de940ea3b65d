"""Holds the C sources in a source tree and the library built from them; no Python code."""
