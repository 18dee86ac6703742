"""Ratios measured in one run against what the machine could do at best."""
