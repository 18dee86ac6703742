"""What HTTP itself refuses, before a command or query is understood."""

from collections.abc import Sequence

from msgspec import Struct

from domain.kernel import Refused


class Fault(Struct, frozen=True):
    """One bad field of a request: the JSON pointer to it, and what would be right."""

    pointer: str
    detail: str


class MalformedJson(Refused):
    """The body is no JSON text."""

    code = "malformed_json"


class InvalidRequest(Refused):
    """Fields of the request are missing, unknown, or of the wrong kind."""

    code = "invalid_request"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("The request has a bad field." if len(faults) == 1 else "The request has bad fields.")
        self.faults = faults


class MalformedHeader(Refused):
    """A header doesn't say what it should."""

    code = "malformed_header"


class NotAuthenticated(Refused):
    """The request needs an access token and has none."""

    code = "not_authenticated"


class CsrfTokenMissing(Refused):
    """A browser's session changes nothing without its CSRF token."""

    code = "csrf_token_missing"


class TooSlow(Refused):
    """The body didn't arrive in the time that any client needs."""

    code = "too_slow"


class NoSuchRoute(Refused):
    """Nothing is at this address."""

    code = "no_such_route"


class MethodNotAllowed(Refused):
    """The address is there, but not for this method."""

    code = "method_not_allowed"


class TooLarge(Refused):
    """The body is larger than any request has to be."""

    code = "too_large"


class TooManyRequests(Refused):
    """More requests of this kind than are answered for a user or an address: `Retry-After` says when to go on."""

    code = "too_many_requests"


class TooManyAtOnce(Refused):
    """The tenant has too many searches, reports, histories or uploads running at the moment."""

    code = "too_many_at_once"


class UnsupportedMediaType(Refused):
    """The body is not what this operation takes: JSON, or a form with a file."""

    code = "unsupported_media_type"


class MalformedUpload(Refused):
    """The body is no form with one file in it, or not all of it has arrived."""

    code = "malformed_upload"


class FileTooLarge(Refused):
    """The file is larger than files may be."""

    code = "file_too_large"


class FileTypeNotAllowed(Refused):
    """The file's content is of no kind that may be attached, whatever it is called."""

    code = "file_type_not_allowed"
