"""What the files of Loki and Grafana may hold: the keys that we use of theirs, and no other.

A new key goes in here, looked up in the product's reference for the version in deploy/compose.yaml.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Duration = Annotated[str, Meta(pattern=r"^\d+(ms|[smhdwy])$")]
Path = Annotated[str, Meta(pattern="^/")]
Name = Annotated[str, Meta(min_length=1)]
Uid = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,40}$")]
FromEnvironment = Annotated[str, Meta(pattern=r"^\$[A-Z_]+$")]


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys in snake case, as Loki has them."""


class Camel(Strict, frozen=True, kw_only=True, rename="camel"):
    """Keys in camel case, as Grafana has them."""


# --- Loki 3.5: https://grafana.com/docs/loki/v3.5.x/configure/


class Server(Strict, frozen=True, kw_only=True):
    http_listen_port: int


class KeyValueStore(Strict, frozen=True, kw_only=True):
    store: Literal["inmemory"]


class Ring(Strict, frozen=True, kw_only=True):
    kvstore: KeyValueStore


class Filesystem(Strict, frozen=True, kw_only=True):
    chunks_directory: Path
    rules_directory: Path


class Storage(Strict, frozen=True, kw_only=True):
    filesystem: Filesystem


class Common(Strict, frozen=True, kw_only=True):
    path_prefix: Path
    replication_factor: int
    ring: Ring
    storage: Storage


class Index(Strict, frozen=True, kw_only=True):
    prefix: Name
    period: Literal["24h"]


class Period(Strict, frozen=True, kw_only=True):
    since: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")] = field(name="from")
    store: Literal["tsdb"]
    object_store: Literal["filesystem"]
    schema: Literal["v13"]
    index: Index


class Periods(Strict, frozen=True, kw_only=True):
    configs: list[Period]


class Limits(Strict, frozen=True, kw_only=True):
    retention_period: Duration
    reject_old_samples: bool
    reject_old_samples_max_age: Duration
    allow_structured_metadata: bool
    max_label_names_per_series: int


class Compactor(Strict, frozen=True, kw_only=True):
    working_directory: Path
    retention_enabled: bool
    delete_request_store: Literal["filesystem"]


class Analytics(Strict, frozen=True, kw_only=True):
    reporting_enabled: bool


class Loki(Strict, frozen=True, kw_only=True):
    auth_enabled: bool
    server: Server
    common: Common
    schema_config: Periods
    limits_config: Limits
    compactor: Compactor
    analytics: Analytics


# --- Grafana 12: https://grafana.com/docs/grafana/v12.1/administration/provisioning/


class PrometheusOptions(Camel, frozen=True, kw_only=True):
    http_method: Literal["POST"]
    time_interval: Duration


class MongodbOptions(Camel, frozen=True, kw_only=True):
    connection: Annotated[str, Meta(pattern="^mongodb://")]
    user: FromEnvironment


class MongodbSecrets(Camel, frozen=True, kw_only=True):
    password: FromEnvironment


class Datasource(Camel, frozen=True, kw_only=True, tag_field="type"):
    name: Name
    uid: Uid
    access: Literal["proxy"]
    is_default: bool = False


class PrometheusSource(Datasource, frozen=True, kw_only=True, tag="prometheus"):
    url: str
    json_data: PrometheusOptions


class LokiSource(Datasource, frozen=True, kw_only=True, tag="loki"):
    url: str


class MongodbSource(Datasource, frozen=True, kw_only=True, tag="grafana-mongodb-datasource"):
    json_data: MongodbOptions
    secure_json_data: MongodbSecrets

    @property
    def url(self) -> str:
        return self.json_data.connection


class Datasources(Camel, frozen=True, kw_only=True):
    api_version: Literal[1]
    datasources: list[PrometheusSource | LokiSource | MongodbSource]


class ProviderOptions(Camel, frozen=True, kw_only=True):
    path: Path


class Provider(Camel, frozen=True, kw_only=True):
    name: Name
    folder: Name
    type: Literal["file"]
    allow_ui_updates: bool
    options: ProviderOptions


class Providers(Camel, frozen=True, kw_only=True):
    api_version: Literal[1]
    providers: list[Provider]


class Times(Camel, frozen=True, kw_only=True):
    since: str = field(name="from")
    to: str


class Place(Camel, frozen=True, kw_only=True):
    x: int
    y: int
    w: int
    h: int


class Source(Camel, frozen=True, kw_only=True):
    type: Name
    uid: Uid


class Target(Camel, frozen=True, kw_only=True):
    ref_id: Name
    datasource: Source
    expr: Name
    legend_format: str = ""


class Step(Camel, frozen=True, kw_only=True):
    color: Name
    value: float | None


class Thresholds(Camel, frozen=True, kw_only=True):
    mode: Literal["absolute", "percentage"]
    steps: list[Step]


class Defaults(Camel, frozen=True, kw_only=True):
    unit: str = ""
    min: float | None = None
    thresholds: Thresholds | None = None


class FieldOptions(Camel, frozen=True, kw_only=True):
    defaults: Defaults
    overrides: Annotated[list[None], Meta(max_length=0)]


class Panel(Camel, frozen=True, kw_only=True):
    id: int
    type: Literal["timeseries", "stat", "logs"]
    title: Name
    grid_pos: Place
    datasource: Source
    field_config: FieldOptions | None = None
    targets: Annotated[list[Target], Meta(min_length=1)]


class Dashboard(Camel, frozen=True, kw_only=True):
    uid: Uid
    title: Name
    tags: list[str]
    schema_version: Annotated[int, Meta(ge=39)]
    version: int
    editable: bool
    refresh: Duration
    timezone: Literal["browser"]
    time: Times
    panels: list[Panel]
