"""What a process keeps of data keys: it serves for weeks, and each new contact has one."""

import subprocess
import sys

KEEPING = """
import os
from uuid import UUID
import psutil
from infrastructure.keys import KeyRing, Wrapping
keyring, tenant, process = KeyRing(None, Wrapping(bytes(32))), UUID(int=1), psutil.Process()
for number in range(60_000):
    subject = UUID(int=number)
    key, _ = keyring.new(tenant, subject)
    keyring.remember(tenant, subject, key)
    if number == 100:
        before = process.memory_info().rss
print((process.memory_info().rss - before) // 1_000_000)
"""


def test_kept_keys_take_some_megabytes_at_most():
    told = subprocess.run([sys.executable, "-c", KEEPING], capture_output=True, text=True, timeout=60, check=True)
    assert int(told.stdout) < 20
