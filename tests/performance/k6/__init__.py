"""The load test: k6's script, what runs it, and what is said of its result."""
