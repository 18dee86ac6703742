"""Wake-ups: one Dramatiq message per group and tenant, merged while it waits, enqueued in one round trip.

The queue is a hint, the log is the truth: a lost message costs the time until the sweeper looks.
"""

import logging
import time
from collections.abc import Collection, Iterable
from uuid import UUID, uuid4

import redis
from dramatiq import Message

from infrastructure.log_context import CARRIED, present
from infrastructure.redis import POSITION_SECONDS, PREFIX, positions_key
from projections.catalogue import GROUPS

log = logging.getLogger(__name__)

QUEUE = "projections"
QUEUES = (QUEUE,)
PROJECT = "project"
PARKED = "parked"
MAIL = "mail"
SENDER = "sender"
"""The option of a message that holds the ids of the request that sent it."""

_MERGED_MS = 5_000
"""How long a wake-up may stand for later ones. Its actor ends that sooner; this is for a message that got lost."""

_PAUSE_SECONDS = 1.0
"""How long appends don't try again after Redis didn't answer: each try would cost its request the time-out."""

# ARGV: the key of the actor's positions or '', the position, its seconds, milliseconds of the flags, the queue, how
# many entities; then the entities; then per message: its flag or '', its id, itself. Keys and commands of the last two
# lines are Dramatiq's own (brokers/redis/dispatch.lua, "enqueue"), so that the flag and its message are set together or
# not at all.
_WAKE = """
local messages = 7 + ARGV[6]
if ARGV[1] ~= '' then
    for i = 7, messages - 1 do
        if tonumber(ARGV[2]) > tonumber(redis.call('HGET', ARGV[1], ARGV[i]) or '0') then
            redis.call('HSET', ARGV[1], ARGV[i], ARGV[2])
        end
    end
    redis.call('EXPIRE', ARGV[1], ARGV[3])
end
for i = messages, #ARGV, 3 do
    if ARGV[i] == '' or redis.call('SET', ARGV[i], '1', 'NX', 'PX', ARGV[4]) then
        redis.call('HSET', KEYS[1] .. ':' .. ARGV[5] .. '.msgs', ARGV[i + 1], ARGV[i + 2])
        redis.call('RPUSH', KEYS[1] .. ':' .. ARGV[5], ARGV[i + 1])
    end
end
"""


class WakeUps:
    """application.ports.Announcements over Redis."""

    def __init__(self, client: redis.Redis, *, prefix: str = PREFIX, groups: Collection[str] = GROUPS) -> None:
        self._client = client
        self.prefix = prefix
        self._groups = tuple(groups)
        self._script = client.register_script(_WAKE)
        self._resume_at = 0.0

    def appended(self, tenant: UUID, actor: str, position: int, entities: Collection[str]) -> None:
        """Wakes all groups of a tenant, and notes a user's last position in these entities. Never raises."""
        if time.monotonic() < self._resume_at:
            return
        noted = positions_key(self.prefix, tenant, actor) if actor.startswith("user-") else ""
        try:
            messages = self._messages(((group, tenant) for group in self._groups), merged=True)
            self._send(messages, noted=noted, position=position, entities=entities)
        except redis.RedisError as error:
            self._resume_at = time.monotonic() + _PAUSE_SECONDS
            log.warning("no wake-up for tenant %s, the sweeper will see to it: %s", tenant, type(error).__name__)

    def wake(self, pairs: Iterable[tuple[str, UUID]]) -> bool:
        """Wakes groups of tenants, whether a wake-up waits already or not. False when Redis is away."""
        try:
            self._send(self._messages(pairs, merged=False))
        except redis.RedisError as error:
            log.warning("nobody was woken, the sweeper will see to it: %s", type(error).__name__)
            return False
        return True

    def seen(self, group: str, tenant: UUID) -> None:
        """Ends the merging: from here on, the next append sends a wake-up of its own. Call it before reading."""
        try:
            self._client.delete(self._flag(group, tenant))
        except redis.RedisError as error:
            log.warning("the flag of a wake-up stays until it expires: %s", type(error).__name__)

    def parked(self, tenant: UUID, projection: str, position: int, error: str) -> bool:
        """Leaves a message about a parked projection, which ends among the dead letters. False when Redis is away."""
        try:
            self._send([("", _message(PARKED, str(tenant), projection, position, error))])
        except redis.RedisError as away:
            log.warning("no dead letter for %s of tenant %s: %s", projection, tenant, type(away).__name__)
            return False
        return True

    def mail(self, tenant: UUID, user: UUID, kind: str) -> bool:
        """Has a worker send a user the mail that waits for them. False when Redis is away."""
        try:
            self._send([("", _message(MAIL, str(tenant), str(user), kind))])
        except redis.RedisError as away:
            log.warning("a mail waits until somebody asks again: %s", type(away).__name__)
            return False
        return True

    def waiting(self) -> int:
        """How many messages wait in the queue. Raises redis.RedisError."""
        return int(self._client.llen(f"{self.prefix}:{QUEUE}"))

    def _messages(self, pairs: Iterable[tuple[str, UUID]], *, merged: bool) -> list[tuple[str, Message[None]]]:
        return [
            (self._flag(group, tenant) if merged else "", _message(PROJECT, group, str(tenant)))
            for group, tenant in pairs
        ]

    def _send(
        self,
        messages: Collection[tuple[str, Message[None]]],
        *,
        noted: str = "",
        position: int = 0,
        entities: Collection[str] = (),
    ) -> None:
        arguments: list[str | int | bytes] = [noted, position, POSITION_SECONDS, _MERGED_MS, QUEUE]
        arguments += [len(entities), *entities]
        for flag, message in messages:
            arguments += [flag, message.options["redis_message_id"], message.encode()]
        self._script(keys=[self.prefix], args=arguments)

    def _flag(self, group: str, tenant: UUID) -> str:
        return f"{self.prefix}:wake:{group}:{tenant}"


def _message(actor: str, *arguments: str | int) -> Message[None]:
    ids = present()
    return Message(
        queue_name=QUEUE,
        actor_name=actor,
        args=arguments,
        kwargs={},
        options={"redis_message_id": str(uuid4()), SENDER: {name: ids[name] for name in CARRIED if name in ids}},
    )
