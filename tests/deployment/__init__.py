"""What is in deploy/: no container engine runs here, so the files are judged by schemas, linters and real processes."""
