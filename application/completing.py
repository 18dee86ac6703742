"""What a command leaves out and its sender implies: the owner, the default pipeline, ids of new stages."""

from collections.abc import Callable
from uuid import UUID

from msgspec import UNSET, structs

from domain.accounts.commands import CreateAccount
from domain.contacts.commands import CreateContact
from domain.deals.commands import NoDefaultPipeline, OpenDeal
from domain.kernel import Command
from domain.pipelines.commands import CreatePipeline, EditPipeline, StageDraft


def complete(
    command: Command,
    *,
    actor_user: UUID | None,
    default_pipeline: Callable[[], UUID | None],
    new_id: Callable[[], UUID],
) -> Command:
    """The command with what it left out. Raises NoDefaultPipeline.

    A new record belongs to the acting user, to nobody where none acts. `new_id` makes UUIDv7s.
    """
    if isinstance(command, CreateAccount | CreateContact | OpenDeal) and command.owner is None:
        command = structs.replace(command, owner=actor_user)
    if isinstance(command, OpenDeal) and command.pipeline is None:
        return structs.replace(command, pipeline=_found(default_pipeline()))
    if isinstance(command, CreatePipeline | EditPipeline) and command.stages is not UNSET:
        return structs.replace(command, stages=tuple(_identified(each, new_id) for each in command.stages))
    return command


def _found(pipeline: UUID | None) -> UUID:
    if pipeline is None:
        raise NoDefaultPipeline("Name a pipeline: there is no default one.", field="/pipeline")
    return pipeline


def _identified(stage: StageDraft, new_id: Callable[[], UUID]) -> StageDraft:
    return stage if stage.id else structs.replace(stage, id=new_id())
