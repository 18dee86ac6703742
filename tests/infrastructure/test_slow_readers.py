"""Connections of clients that take too little, over real sockets. Time is told to what looks at them."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from infrastructure.slow_readers import SlowReaders

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other kernels don't tell what a client took")
SECONDS, LEAST = 30.0, 1000


@dataclass
class Pair:
    """Both ends of a connection, and what looks at ours."""

    ours: socket.socket
    client: socket.socket
    watched: SlowReaders

    def fills(self) -> None:
        """Writes until the kernel takes no more; what the client's kernel took is acknowledged then."""
        with suppress(BlockingIOError):
            while True:
                self.ours.send(bytes(100_000))
        time.sleep(0.2)

    def takes(self, size: int) -> None:
        """The client reads so much, and its kernel makes room."""
        while size > 0:
            size -= len(self.client.recv(min(size, 100_000)))

    def is_cut(self) -> bool:
        try:
            self.ours.send(b"x")
        except BlockingIOError:
            return False
        except OSError:
            return True
        return False


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        ours, _ = listener.accept()
        ours.setblocking(False)
        client.settimeout(10)
        with client, ours:
            yield Pair(ours, client, SlowReaders(port, seconds=SECONDS, bytes_per_second=LEAST))


def test_who_takes_a_byte_now_and_then_is_cut_off_and_nothing_is_kept_for_them(pair):
    pair.fills()
    assert [pair.watched.look(now) for now in (0, 10, 20)] == [0, 0, 0]
    pair.takes(10)
    assert not pair.is_cut()
    assert pair.watched.look(31) == 1
    assert pair.is_cut()
    pair.ours.close()
    with pytest.raises(ConnectionResetError):
        while pair.client.recv(1_000_000):
            pass


def test_who_takes_enough_may_take_for_hours(pair):
    for minute in range(20):
        pair.fills()
        assert pair.watched.look(60.0 * minute) == 0
        pair.takes(2_000_000)
    assert not pair.is_cut()


def test_whoever_stops_in_the_midst_is_cut_off_whatever_they_took_before(pair):
    for now in (0, 31):
        pair.fills()
        assert pair.watched.look(now) == 0
        pair.takes(2_000_000 if now == 0 else 0)
    assert pair.watched.look(62) == 1


def test_whoever_waits_for_us_is_never_slow(pair):
    assert [pair.watched.look(now) for now in (0, 40, 80)] == [0, 0, 0]
    pair.fills()
    assert pair.watched.look(100) == 0
    assert sum(len(each) for each in _all_of(pair)) > 0
    assert [pair.watched.look(now) for now in (140, 180)] == [0, 0]
    assert not pair.is_cut()


def _all_of(pair: Pair) -> Iterator[bytes]:
    """What has been sent."""
    pair.client.settimeout(0.5)
    with suppress(TimeoutError):
        while True:
            yield pair.client.recv(1_000_000)


def test_connections_at_other_ports_are_left_alone(pair):
    pair.fills()
    others = SlowReaders(9, seconds=SECONDS, bytes_per_second=LEAST)
    assert [others.look(now) for now in (0, 31, 62)] == [0, 0, 0]
    assert not pair.is_cut()
