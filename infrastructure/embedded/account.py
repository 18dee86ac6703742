"""Which operating system account an embedded server runs under, and where that account can reach its files.

PostgreSQL refuses to run as root, and a Redis of root's would hand root's rights to whoever reaches its port.
When this process is root, the servers therefore run as an account of their own. Root's home is closed to it, so
programs and data that lie in such a place are moved to /var/lib/clientforge; no directory is opened up for them.
"""

import fcntl
import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "clientforge"
_TRIES, _PAUSE_SECONDS = 5, 1.0
OPEN_TO_THE_ACCOUNT = Path("/var/lib/clientforge")


@dataclass(frozen=True, kw_only=True)
class Account:
    """An operating system account, by its numbers; None as an account means 'as this process'."""

    uid: int
    gid: int

    def give(self, path: Path, mode: int) -> None:
        """Make the account the owner of one file or directory."""
        os.chown(path, self.uid, self.gid)
        path.chmod(mode)

    def reaches(self, path: Path) -> bool:
        """Whether the account may pass through every directory above `path`."""
        return all(self._may_pass(parent) for parent in path.resolve().parents)

    def _may_pass(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))


def unprivileged_account() -> Account | None:
    """The account for servers that this process starts: None unless it is root. Makes it on first use."""
    if os.geteuid() != 0:
        return None
    entry = _entry() or _made()
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _entry() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None


def _made() -> pwd.struct_passwd:
    """The entry of the account, made unless another process has done so meanwhile.

    Of ours one at a time makes it: useradd looks for the name before it takes a lock of its own, and then gives an
    account that was made in between another number. Others' lock, such as a package manager's, it soon gives up on.
    """
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    with _alone():
        for _ in range(_TRIES):
            if entry := _entry():
                return entry
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                time.sleep(_PAUSE_SECONDS)
        if entry := _entry():
            return entry
    raise RuntimeError(
        f"PostgreSQL does not run as root, and the account '{ACCOUNT}' could not be made for it: "
        f"{made.stderr.strip()}. Make that account, or run ClientForge as an ordinary user."
    )


@contextmanager
def _alone() -> Iterator[None]:
    """Waits until no other process is within. The kernel lets the next one in when one dies."""
    OPEN_TO_THE_ACCOUNT.mkdir(parents=True, exist_ok=True)
    lock = os.open(OPEN_TO_THE_ACCOUNT / "account.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def reachable_programs(programs: Path, account: Account | None) -> Path:
    """`programs` (an installation's root), or a copy of it that the account can reach."""
    if account is None or account.reaches(programs / "bin"):
        return programs
    changed = max(path.stat().st_mtime_ns for path in (programs, programs / "bin"))
    copy = OPEN_TO_THE_ACCOUNT / "programs" / f"{programs.parent.name}-{programs.name}-{changed}"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        unfinished = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}")
        shutil.copytree(programs, unfinished, symlinks=True)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was quicker
            shutil.rmtree(unfinished)
    return copy


def prepare_data_directory(directory: Path, account: Account | None) -> Path:
    """Make `directory` (mode 0700) if it is missing, the account's own; its real place, links resolved.

    Where the account can't reach it, `directory` becomes a link to a new one that it can.
    """
    if account is None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory.resolve()
    directory.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not directory.exists():
        if not account.reaches(directory):
            place = OPEN_TO_THE_ACCOUNT / "data" / f"{directory.name}-{secrets.token_hex(8)}"
            place.mkdir(mode=0o700, parents=True)
            directory.unlink(missing_ok=True)  # a link whose target has gone
            directory.symlink_to(place)
        else:
            directory.mkdir(mode=0o700)
        account.give(directory.resolve(), 0o700)
    real = directory.resolve()
    if not account.reaches(real):
        raise RuntimeError(f"The account '{ACCOUNT}' can't reach {real}: choose another data directory.")
    return real
