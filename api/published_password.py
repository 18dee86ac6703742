"""The password that a developer's first admin has: it stands in the documentation, and opens nothing in production."""

PUBLISHED_PASSWORD = "Admin!234"  # noqa: S105 - published on purpose
