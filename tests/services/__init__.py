"""The real servers that the tests use: given by URL, else started on this machine, else in Docker."""
