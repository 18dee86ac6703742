"""PostgreSQL and Redis as child processes of this one: real servers whose programs come inside Python wheels."""

from infrastructure.embedded.child import Child, ServerDidNotStart, free_port
from infrastructure.embedded.postgres import EmbeddedPostgres, remove_cluster
from infrastructure.embedded.redis import EmbeddedRedis

__all__ = ["Child", "EmbeddedPostgres", "EmbeddedRedis", "ServerDidNotStart", "free_port", "remove_cluster"]
