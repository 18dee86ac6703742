"""What `clientforge deploy verify` does with a deployed system: it asks it over HTTP, as its clients do."""
