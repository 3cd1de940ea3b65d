"""What the servers load: the application, and around it what the environment names."""

import os

from benchmarks.servers.application import MEASURED_BY, measured

app = measured(os.environ.get(MEASURED_BY, "nothing"))
