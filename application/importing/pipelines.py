"""The pipeline of imported deals: found, or made with the stages that the map names.

Which stage is which is kept beside the log, so that a stage that people rename stays the one that the file means.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import structs

from application.catalogue import ENTITIES
from application.handling import decided
from application.importing.kinds import Circumstances
from application.importing.mapping import PipelineMap, StageMap
from application.importing.problems import MapRefused
from application.importing.results import Job
from application.neighbourhood import present
from application.ports import Append, Conflict
from application.recording import Metadata, stream_name, stream_subject
from domain.kernel import Claim, Command, Refused
from domain.neighbours import PipelineFacts, StageFacts, StageKind
from domain.pipelines.commands import CreatePipeline, EditPipeline, StageDraft
from domain.pipelines.events import Stage
from domain.pipelines.state import Pipeline

_ATTEMPTS = 5
_PIPELINE = ENTITIES["pipeline"]


def prepare_pipeline(job: Job) -> Circumstances:
    """The pipeline and stages that deals go to, made where they are missing. Raises MapRefused."""
    map = job.plan.map.pipeline or PipelineMap()
    for attempt in range(_ATTEMPTS):
        try:
            return _attempt(job, map)
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
        except Refused as refused:
            raise MapRefused(f"pipeline: {refused.message}") from refused
    raise AssertionError("unreachable")


def _attempt(job: Job, map: PipelineMap) -> Circumstances:
    claim = Claim("pipeline.external_id", map.external_id) if map.external_id else Claim("pipeline.default", "")
    stream = job.store.holders(job.tenant, (claim,)).get(claim)
    if stream is None and map.external_id is None:
        return Circumstances()
    stream = stream or stream_name("pipeline", job.new_id())
    now = present(_PIPELINE, job.store.stream(job.tenant, stream))
    before = job.store.sources(job.tenant, (stream,)).get(stream, {})
    command = _command(job, map, now.state, before)
    events = tuple(_PIPELINE.decide(command, now.state, {})) if command else ()
    decision = decided(_PIPELINE, stream_subject(stream)[1], now, events, ())
    sources = _sources(map, decision.state, before)
    circumstances = _circumstances(map, stream_subject(stream)[1], decision.state, sources)
    if events or sources != before:
        metadata = Metadata(actor="import", correlation=job.run)
        change = structs.replace(decision.change, source=sources)
        job.store.append(job.tenant, Append(metadata=metadata, changes=(change,)))
    return circumstances


def _command(job: Job, map: PipelineMap, pipeline: Pipeline | None, known: Mapping[str, str]) -> Command | None:
    """What makes the pipeline, or those of its stages that are missing."""
    if pipeline is None:
        drafts = tuple(_draft(stage, job.new_id()) for stage in map.stages)
        return CreatePipeline(name=map.name or "", stages=drafts, external_id=map.external_id)
    stages = [_kept(stage) for stage in pipeline.stages]
    place = 0
    for stage in map.stages:
        there = _place(stages, stage.name, known)
        if there is None:
            stages.insert(place, _draft(stage, job.new_id()))
            place += 1
        else:
            place = there + 1
    return EditPipeline(stages=tuple(stages)) if len(stages) > len(pipeline.stages) else None


def _sources(map: PipelineMap, pipeline: Pipeline, before: Mapping[str, str]) -> Mapping[str, str]:
    """Which stage is which, by the names that the file has for them."""
    stages = [_kept(stage) for stage in pipeline.stages]
    named = {stage.name: _place(stages, stage.name, before) for stage in map.stages}
    return {**before, **{name: str(stages[at].id) for name, at in named.items() if at is not None}}


def _circumstances(map: PipelineMap, id: UUID, pipeline: Pipeline, sources: Mapping[str, str]) -> Circumstances:
    """The stages under the names that the file has for them."""
    names = {stage: name for name, stage in sources.items()}
    facts = _PIPELINE.facts(pipeline) if _PIPELINE.facts else None
    stages: tuple[StageFacts, ...] = facts.stages if isinstance(facts, PipelineFacts) else ()
    stages = tuple(structs.replace(stage, name=names.get(str(stage.id), stage.name)) for stage in stages)
    opened_in = None
    if map.opened_in is not None:
        opened_in = next((stage for stage in stages if stage.name.casefold() == map.opened_in.casefold()), None)
        if opened_in is None or opened_in.kind is not StageKind.OPEN:
            raise MapRefused(f"pipeline.opened_in: the pipeline has no open stage '{map.opened_in}'")
    return Circumstances(pipeline=id, stages=stages, opened_in=opened_in)


def _place(stages: Sequence[StageDraft], name: str, known: Mapping[str, str]) -> int | None:
    """Where among the stages the one is that the file calls so."""
    for place, stage in enumerate(stages):
        if known.get(name) == str(stage.id):
            return place
    taken = set(known.values())
    for place, stage in enumerate(stages):
        if stage.name.casefold() == name.casefold() and str(stage.id) not in taken:
            return place
    return None


def _draft(stage: StageMap, id: UUID) -> StageDraft:
    return StageDraft(id=id, name=stage.name, kind=stage.kind, probability=stage.probability, colour=stage.colour)


def _kept(stage: Stage) -> StageDraft:
    return StageDraft(**structs.asdict(stage))
