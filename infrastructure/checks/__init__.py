"""What `clientforge verify services` looks at: each check answers with findings, soon, whatever it meets."""
