"""What allocmeter costs: the benchmark suite. `python -m benchmarks --help` says how it is run."""
