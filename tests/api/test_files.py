"""Files: attached to records, sent as they came, and gone with those whom they are about."""

import base64
import hashlib
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.handling import Sender
from application.tenancy import OPERATOR
from domain.permissions import Role
from tests.api.doors import at, opened
from tests.api.kinds import KINDS, body_of
from tests.api.stand import NOBODY, company, pointers, problem
from tests.api.uploads import PDF, PNG, TEXT, attach, attached, on_disk, stored


@pytest.fixture
def account(acme) -> str:
    return acme.rep.makes("/accounts", {"name": "Analytical Engines"})


@pytest.fixture
def root(api_settings):
    return api_settings.files_dir


def test_a_file_comes_back_as_it_was(acme, account):
    answer = attach(acme.rep, account, PDF, "offer.pdf")
    assert (answer.status_code, answer.json()["version"]) == (201, 1)
    file = answer.headers["location"]
    digest = hashlib.sha256(PDF)

    row = acme.rep.get(file).json()
    told = {name: row[name] for name in ("name", "entity", "record", "media_type", "size", "sha256", "archived")}
    assert told == {
        "name": "offer.pdf",
        "entity": "account",
        "record": account,
        "media_type": "application/pdf",
        "size": len(PDF),
        "sha256": digest.hexdigest(),
        "archived": False,
    }
    content = acme.rep.get(f"{file}/content")
    assert content.content == PDF
    assert content.headers["content-type"] == "application/pdf"
    assert content.headers["content-length"] == str(len(PDF))
    assert content.headers["content-disposition"] == "attachment; filename=\"offer.pdf\"; filename*=UTF-8''offer.pdf"
    assert content.headers["x-content-type-options"] == "nosniff"
    assert content.headers["content-security-policy"].startswith("default-src 'none'")
    assert content.headers["content-security-policy"].endswith("; sandbox")
    assert content.headers["cache-control"] == "no-store"
    assert content.headers["etag"] == f'"{digest.hexdigest()}"'
    assert content.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.path)
def test_a_file_is_attached_to_a_record_of_any_kind_and_listed_by_it(acme, kind):
    record = acme.admin.makes(f"/{kind.path}", body_of(kind))
    file = attached(acme.admin, record, to=kind.entity)

    [row] = acme.admin.get("/files", entity=kind.entity, record=record).json()["items"]
    assert (row["id"], row["name"]) == (file, "letter.txt")
    newest, *_ = acme.admin.get(f"/{kind.path}/{record}/timeline").json()["items"]
    assert newest["type"] == "file.attached.v1"


def test_a_file_is_renamed_archived_and_restored_and_its_history_tells_it(acme, account):
    file = attached(acme.rep, account)
    assert acme.rep.patch(f"/files/{file}", {"name": "brief.txt"}).status_code == 200
    assert acme.rep.get(f"/files/{file}").json()["name"] == "brief.txt"
    assert "brief.txt" in acme.rep.get(f"/files/{file}/content").headers["content-disposition"]

    assert acme.rep.delete(f"/files/{file}").status_code == 200
    assert acme.rep.get("/files", record=account).json()["items"] == []
    assert acme.rep.get(f"/files/{file}").json()["archived"] is True
    assert acme.rep.post(f"/files/{file}/restore").status_code == 200
    assert [each["id"] for each in acme.rep.get("/files", record=account).json()["items"]] == [file]

    history = acme.rep.get(f"/files/{file}/history").json()["items"]
    names = ("attached", "edited", "archived", "restored")
    assert [each["type"] for each in history] == [f"file.{name}.v1" for name in names]
    assert {each["type"] for each in acme.rep.get("/audit", entity="file", id=file).json()["items"]} == {
        each["type"] for each in history
    }


def test_what_happens_to_the_record_happens_to_its_files(acme, account):
    file, gone = attached(acme.rep, account), attached(acme.rep, account)
    acme.rep.delete(f"/files/{gone}")

    acme.rep.delete(f"/accounts/{account}")
    assert acme.rep.get("/files", record=account).json()["items"] == []
    archived = acme.rep.get("/files", record=account, archived="true").json()["items"]
    assert {(each["id"], each["archived"]) for each in archived} == {(file, True), (gone, True)}
    assert acme.rep.get(f"/files/{file}").json()["archived"] is True
    problem(acme.rep.patch(f"/files/{file}", {"name": "b.txt"}), 409, "archived")
    assert pointers(problem(attach(acme.rep, account), 422, "reference_archived")) == {"/record"}

    acme.rep.post(f"/accounts/{account}/restore")
    assert [each["id"] for each in acme.rep.get("/files", record=account).json()["items"]] == [file]


def test_an_erased_file_is_gone_from_disk_from_the_quota_and_by_name(acme, account, root):
    company_ = acme
    file = attached(company_.admin, account, name="CV of Ada Lovelace.txt")
    before = on_disk(root, company_.profile.id)
    problem(company_.rep.post(f"/files/{file}/erase"), 403, "forbidden")
    assert on_disk(root, company_.profile.id) == before

    assert company_.admin.post(f"/files/{file}/erase").status_code == 200
    assert [path for path in on_disk(root, company_.profile.id) if file in str(path)] == []
    row = company_.admin.get(f"/files/{file}").json()
    assert (row["erased"], row["archived"], row["name"]) == (True, True, None)
    for answer in (
        company_.admin.get(f"/files/{file}/content"),
        company_.admin.patch(f"/files/{file}", {"name": "a.txt"}),
        company_.admin.post(f"/files/{file}/restore"),
    ):
        problem(answer, 410, "file_erased")
    everything = [
        company_.admin.get(f"/files/{file}/history").text,
        company_.admin.get("/audit", entity="file", id=file).text,
        company_.admin.get(f"/accounts/{account}/timeline").text,
    ]
    assert "Lovelace" not in "".join(everything)
    assert company_.admin.post(f"/files/{file}/erase").status_code == 200


def test_whoever_erases_a_person_erases_their_files(application, acme, root):
    person = acme.rep.makes("/contacts", body_of(next(each for each in KINDS if each.entity == "contact")))
    files = {attached(acme.rep, person, to="contact") for _ in range(2)}
    acme.rep.delete(f"/files/{min(files)}")

    sender = Sender(tenant=acme.profile.id, actor="cli", permissions=OPERATOR, correlation=uuid7())
    assert application.filing.erase_all_of(sender, "contact", UUID(person)) == 2
    assert [path for path in on_disk(root, acme.profile.id) if path.name in files] == []
    assert {acme.rep.get(f"/files/{file}/content").status_code for file in files} == {410}
    assert application.filing.erase_all_of(sender, "contact", UUID(person)) == 0


def test_files_are_seen_and_changed_by_whoever_sees_and_changes_the_record(acme, account):
    file = attached(acme.rep, account)
    assert acme.rep.get(f"/files/{file}").status_code == 200
    manager, viewer, other = acme.people[Role.MANAGER], acme.viewer, acme.hires(Role.REP)
    for person, reading, writing in (
        (acme.admin, 200, 200),
        (viewer, 200, 403),
        (other, 404, 404),
        (manager, 404, 404),
    ):
        assert person.get(f"/files/{file}").status_code == reading
        assert person.get(f"/files/{file}/content").status_code == reading
        assert person.get(f"/files/{file}/history").status_code == reading
        assert person.get(f"/files/{file}/timeline").status_code == reading
        assert bool(person.get("/files", record=account).json()["items"]) == (reading == 200)
        assert bool(person.get("/audit", entity="file", id=file).json()["items"]) == (reading == 200)
        assert person.patch(f"/files/{file}", {"name": "c.txt"}).status_code == writing
        assert attach(person, account).status_code == {200: 201, 403: 403, 404: 422}[writing]

    assert acme.admin.post(f"/accounts/{account}/assign", {"owner": str(other.id)}).status_code == 200
    assert acme.admin.get(f"/files/{file}").status_code == 200
    assert acme.rep.get(f"/files/{file}").status_code == 404
    assert other.get(f"/files/{file}/content").content == TEXT
    assert other.delete(f"/files/{file}").status_code == 200


def test_a_users_files_are_for_admins(acme):
    file = attached(acme.admin, str(acme.rep.id), to="user")
    problem(attach(acme.rep, str(acme.rep.id), to="user"), 403, "forbidden")
    for person in (acme.rep, acme.viewer):
        problem(person.get(f"/files/{file}"), 404, "not_found")
        problem(person.get(f"/files/{file}/content"), 404, "not_found")
        problem(person.get(f"/files/{file}/history"), 404, "not_found")
        assert person.get("/files", record=str(acme.rep.id)).json()["items"] == []
    assert acme.admin.get(f"/files/{file}/content").content == TEXT


def test_a_key_reads_files_with_the_scope_for_them_and_for_their_record(acme, account):
    file = attached(acme.rep, account)
    for scopes, status in ((["file:read"], 404), (["account:read"], 403), (["file:read", "account:read"], 200)):
        told = acme.rep.post("/auth/api-keys", {"name": "A", "scopes": scopes}).json()
        answer = acme.rep.client.get(
            f"/api/v1/files/{file}/content", headers={"Authorization": f"Bearer {told['key']}"}
        )
        assert answer.status_code == status, (scopes, answer.text)


def test_nothing_of_another_tenant_is_reached_with_a_files_id(acme, rival, account, root):
    theirs = rival.rep.makes("/accounts", {"name": "Theirs"})
    file = attached(rival.rep, theirs, b"their secret", "secret.txt")
    for method, path in (
        *(("GET", ""), ("GET", "/content"), ("GET", "/history"), ("GET", "/timeline")),
        *(("DELETE", ""), ("POST", "/restore"), ("POST", "/erase")),
    ):
        problem(acme.admin.ask(method, f"/files/{file}{path}"), 404, "not_found")
    assert pointers(problem(attach(acme.admin, theirs), 422, "unknown_reference")) == {"/record"}
    assert acme.admin.get("/files", record=theirs).json()["items"] == []
    assert rival.rep.get(f"/files/{file}/content").content == b"their secret"
    assert [path for path in on_disk(root, rival.profile.id) if path.name == file]


@pytest.mark.parametrize("id", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "1"])
def test_no_address_leads_out_of_the_directory(acme, id):
    assert acme.admin.get(f"/files/{id}/content").status_code == 404


def test_a_record_that_is_not_there_takes_no_file_and_nothing_is_left(acme, root):
    before = on_disk(root, acme.profile.id)
    problem(attach(acme.rep, str(NOBODY)), 422, "unknown_reference")
    for where in ({"entity": "tenant"}, {"entity": "file"}, {"entity": "account", "record": "1"}, {}):
        answer = acme.rep.ask("POST", "/files", params={"record": str(NOBODY), **where}, files={"file": ("a", b"a")})
        problem(answer, 422, "invalid_request")
    problem(attach(acme.viewer, str(NOBODY)), 403, "forbidden")
    assert on_disk(root, acme.profile.id) == before


def test_the_same_upload_with_the_same_key_is_one_file(acme, account, root):
    key = f"upload-{account}"
    first = attach(acme.rep, account, key=key)
    before, used = on_disk(root, acme.profile.id), stored(acme)
    again = attach(acme.rep, account, key=key)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    problem(attach(acme.rep, account, b"another", key=key), 422, "idempotency_key_reused")
    assert (on_disk(root, acme.profile.id), stored(acme)) == (before, used)
    assert len(acme.rep.get("/files", record=account).json()["items"]) == 1


def test_a_tenant_stores_no_more_than_its_quota(application, client, root, monkeypatch):
    monkeypatch.setattr("api.files._GB", 100)
    small = company(application, client, storage_gb=1)
    account = small.admin.makes("/accounts", {"name": "A"})
    first = attached(small.admin, account, b"a" * 60)
    told = problem(attach(small.admin, account, b"b" * 41), 409, "storage_full")
    assert told["details"] == {"used": 60, "limit": 100}
    assert len(on_disk(root, small.profile.id)) == 1
    attached(small.admin, account, b"c" * 40)
    problem(attach(small.admin, account, b"d"), 409, "storage_full")

    small.admin.delete(f"/files/{first}")
    problem(attach(small.admin, account, b"d"), 409, "storage_full")
    small.admin.post(f"/files/{first}/erase")
    attached(small.admin, account, b"e" * 60)


def test_plans_have_the_storage_that_they_promise(application, client):
    for plan, storage in (("starter", 10), ("professional", 50), ("enterprise", None)):
        assert company(application, client, plan=plan).profile.storage_gb == storage
    assert company(application, client, plan="professional", storage_gb=7).profile.storage_gb == 7


def test_uploads_have_a_limit_of_their_own(application, acme, account):
    with opened(application, rate_limit_upload="2 per minute") as client:
        rep = at(client, acme.hires(Role.REP))
        mine = rep.makes("/accounts", {"name": "A"})
        answers = [attach(rep, mine) for _ in range(3)]
        assert [each.status_code for each in answers] == [201, 201, 429]
        assert problem(answers[2], 429, "too_many_requests")["details"]["limit"] == "upload"
        assert rep.get("/files").status_code == 200


def test_an_image_is_what_its_bytes_are_whatever_it_is_called(acme, account):
    file = attached(acme.rep, account, PNG, "holiday.exe")
    answer = acme.rep.get(f"/files/{file}/content")
    assert answer.headers["content-type"] == "image/png"
    assert 'filename="holiday.exe.png"' in answer.headers["content-disposition"]
