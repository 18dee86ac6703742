"""Whole journeys through the running system, over its processes and real stores."""
