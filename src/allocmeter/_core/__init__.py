"""The native core seen from Python: loading it, its types, and reading its figures.

Private. Knows nothing of frameworks; everything public is built on top of it.
"""
