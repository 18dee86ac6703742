"""Why a backup can't be made, used or trusted."""


class BackupRefused(Exception):
    """What was asked for can't be done as things are; the message says what to do."""


class BackupBroken(Exception):
    """A backup is not what was written; the message says what is wrong with it."""
