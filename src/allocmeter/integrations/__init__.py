"""Bindings to the event loops, servers and tools that programs are made of; one module each."""
