"""What Elasticsearch and MongoDB themselves hold of a tenant, beside the system and its relays."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elasticsearch import Elasticsearch
from pymongo import MongoClient
from pymongo.collection import Collection

MOST = 10_000


@dataclass
class Stored:
    """The documents of a tenant, of whatever generation."""

    client: Elasticsearch
    indices: str
    logs: Collection[dict[str, Any]]
    tenant: UUID

    def search(self) -> dict[str, Any]:
        """The documents of the search index, with their versions."""
        self.client.indices.refresh(index=self.indices)
        mine = {"term": {"tenant_id": str(self.tenant)}}
        found = self.client.search(index=self.indices, query=mine, size=MOST, version=True, sort=["id"])["hits"]["hits"]
        assert len(found) < MOST
        return {f"{hit['_index']} {hit['_id']}": (hit["_version"], hit["_source"]) for hit in found}

    def audit(self) -> dict[str, Any]:
        """The documents of the audit trail."""
        return {each["_id"]: each for each in self.logs.find({"tenant": str(self.tenant)})}

    def lose(self, search: str, audit: str) -> None:
        """Deletes a document of each, by their keys."""
        index, _, id = search.partition(" ")
        self.client.delete(index=index, id=id, routing=str(self.tenant))
        self.logs.delete_one({"_id": audit})


@contextmanager
def stored(variables: Mapping[str, str], elasticsearch_url: str, mongodb_url: str, tenant: UUID) -> Iterator[Stored]:
    """The documents of a system with these variables, read by way of these URLs."""
    database = variables["MONGODB_URL"].rpartition("/")[2]
    with Elasticsearch(elasticsearch_url) as elasticsearch, MongoClient[dict[str, Any]](mongodb_url) as mongo:
        yield Stored(elasticsearch, f"{variables['ELASTICSEARCH_PREFIX']}-*", mongo[database]["audit_logs"], tenant)
