"""What turns a report into something to read; every renderer takes the same report."""
