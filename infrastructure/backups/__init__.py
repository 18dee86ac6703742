"""Backups of what can't be made again: one snapshot, sealed for a key that is elsewhere; checked, restored, drilled."""
