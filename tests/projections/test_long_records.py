"""Whatever a command accepts can be indexed."""

import random
import string
from uuid import uuid4

from uuid_utils.compat import uuid7

from application.ports import Append, StreamChange
from application.recording import Metadata, stream_name
from domain.deals.events import DealOpened, Line
from infrastructure.embedded_search import PostgresIndex
from projections.changes import folded
from projections.ports import SearchQuery
from projections.search import search_documents


def test_a_deal_with_nearly_a_megabyte_of_words_is_indexed_and_found_by_its_title(store, database, tenant):
    choose = random.Random(1)
    words = ["".join(choose.choices(string.ascii_lowercase, k=8)) for _ in range(95 * 1100)]
    lines = tuple(Line(description=" ".join(words[start : start + 1100])) for start in range(0, len(words), 1100))
    deal = DealOpened(name="Colossus", pipeline=uuid7(), stage=uuid7(), probability=10, lines=lines)
    change = StreamChange(stream=stream_name("deal", uuid7()), expected=0, events=(deal,))
    store.append(tenant, Append(metadata=Metadata(actor="test", correlation=uuid4()), changes=(change,)))
    index = PostgresIndex(database)

    events = store.log(tenant, after=0, limit=10)
    index.write(tenant, 1, search_documents(folded(tenant, 0, events, lambda streams, until: {})))
    index.publish(tenant, 1)

    [hit] = index.search(tenant, SearchQuery(text="coloss", entities=("deal",)))
    assert hit.title == "Colossus"
