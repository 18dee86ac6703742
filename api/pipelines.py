"""Pipelines and their stages over HTTP."""

from api.operations import Operation
from api.records import Records
from domain.pipelines.commands import (
    ArchivePipeline,
    CreatePipeline,
    DefaultPipelineNeeded,
    EditPipeline,
    MakePipelineDefault,
    RestorePipeline,
)
from projections.pipelines.directory import PIPELINES, PipelineRow

RECORDS = Records(
    path="pipelines",
    entity="pipeline",
    directory=PIPELINES,
    row=PipelineRow,
    create=CreatePipeline,
    edit=EditPipeline,
    archive=ArchivePipeline,
    restore=RestorePipeline,
    archive_refuses=(DefaultPipelineNeeded,),
    example={
        "name": "Renewals",
        "stages": [
            {"name": "Due", "probability": 60, "colour": "#2f855a"},
            {"name": "Renewed", "kind": "won", "probability": 100},
            {"name": "Cancelled", "kind": "lost", "probability": 0},
        ],
    },
    edit_example={"name": "Renewals and upgrades"},
)

OPERATIONS: list[Operation] = [*RECORDS.operations(), RECORDS.verb("make-default", MakePipelineDefault)]
