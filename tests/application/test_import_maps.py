"""A map that is wrong says where, by its key, before anything is read or written."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from application.importing.catalogue import KINDS
from application.importing.mapping import read_map
from application.importing.opening import opened
from application.importing.planning import plan
from application.importing.problems import MapRefused

ACCOUNTS = 'external_id = "id"\n[fields]\nname = "company"\n'
HEADER = ("id", "company", "sector")


def refused(text: str, kind: str = "accounts", header=HEADER) -> str:
    with pytest.raises(MapRefused) as refusal:
        plan(KINDS[kind], read_map(text.encode()), header, ZoneInfo("UTC"))
    return str(refusal.value)


def test_a_map_that_is_not_toml_is_refused_with_the_line():
    assert "line 1" in refused("external_id = \n")
    assert "UTF-8" in refused_bytes(b'external_id = "\xff"')


def refused_bytes(content: bytes) -> str:
    with pytest.raises(MapRefused) as refusal:
        read_map(content)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('externalid = "id"\n', "unknown field `externalid`"),
        ('[fields]\nname = "company"\n', "missing required field `external_id`"),
        (ACCOUNTS + "industry = { colum = 'sector' }\n", "fields.industry: Object contains unknown field `colum`"),
        (ACCOUNTS + "industry = 3\n", "fields.industry: "),
        (ACCOUNTS + "industry = {}\n", "fields.industry: needs a column, a template or a default"),
        (
            ACCOUNTS + "industry = { column = 'sector', template = 'x' }\n",
            "fields.industry: has a column and a template",
        ),
        (ACCOUNTS + "employees = { column = 'sector', factor = 0 }\n", "fields.employees: factor"),
        (ACCOUNTS + "employees = { column = 'sector', factor = inf }\n", "fields.employees: factor"),
        (ACCOUNTS + "[aliases]\nsector = 3\n", "aliases"),
        ('delimiter = ";;"\n' + ACCOUNTS, "delimiter"),
        ('date_format = "%Q"\n' + ACCOUNTS, "date_format"),
        ('date_format = "%H:%M"\n' + ACCOUNTS, "date_format"),
        ('numbers = { decimal = ",", thousands = "," }\n' + ACCOUNTS, "numbers"),
        (ACCOUNTS + '[pipeline]\nexternal_id = "p"\n', "pipeline.name"),
        (ACCOUNTS + '[pipeline]\nname = "p"\nstages = [{ name = "a", probability = 101 }]\n', "pipeline.stages"),
    ],
)
def test_each_wrong_key_is_named(text, said):
    assert said in refused(text)


def test_all_wrong_keys_are_named_at_once():
    told = refused(ACCOUNTS + "a = {}\nb = { x = 1 }\n")
    assert "fields.a" in told
    assert "fields.b" in told


def test_all_that_is_wrong_with_a_map_and_its_fit_is_said_at_once(tmp_path):
    told = refused_with_file(
        tmp_path,
        'colour = "red"\nsize = 3\n'
        + ACCOUNTS
        + "salary = 'sector'\nindustry = { template = '{branch}', colum = 'x', defalt = 'y' }\n"
        + "[numbers]\ndecimals = ','\nthousand = '.'\n",
    )
    assert [line.partition(", but")[0].partition(";")[0] for line in told.splitlines()] == [
        "fields.industry: Object contains unknown field `colum`",
        "fields.industry: Object contains unknown field `defalt`",
        "the map: Object contains unknown field `colour`",
        "the map: Object contains unknown field `size`",
        "numbers: Object contains unknown field `decimals`",
        "numbers: Object contains unknown field `thousand`",
        "fields.salary: accounts have no such field",
        "The file has no column branch",
    ]


def test_a_field_with_a_fault_counts_as_mapped(tmp_path):
    told = refused_with_file(tmp_path, "[fields]\nname = { colum = 'company' }\n")
    assert "missing required field `external_id`" in told
    assert "need a name" not in told
    assert "no column" not in told


@pytest.mark.parametrize("delimiter", [";;", "\\n"])
def test_with_a_wrong_delimiter_all_but_the_header_is_checked(tmp_path, delimiter):
    told = refused_with_file(tmp_path, f'delimiter = "{delimiter}"\n{ACCOUNTS}salary = "branch"\n')
    assert "delimiter: " in told
    assert "fields.salary" in told
    assert "no column" not in told


def test_a_wrong_map_is_said_so_where_the_file_is_wrong_too(tmp_path):
    assert "unknown field `x`" in refused_with_file(tmp_path, "x = 1\n" + ACCOUNTS, b"")


def refused_with_file(directory: Path, text: str, content: bytes = b"id,company,sector\n") -> str:
    path = directory / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(MapRefused) as refusal:
        opened(KINDS["accounts"], text.encode(), path)
    return str(refusal.value)


def test_a_field_that_the_records_do_not_have_is_refused_with_those_that_they_have():
    assert "fields.salary: accounts have no such field, but annual_revenue" in refused(ACCOUNTS + "salary = 'sector'\n")


def test_a_required_field_has_to_be_mapped():
    assert "fields: accounts need a name" in refused('external_id = "id"\n[fields]\nindustry = "sector"\n')


def test_a_column_that_the_file_lacks_is_refused_with_those_that_it_has():
    told = refused(ACCOUNTS + "industry = { template = '{branch} of {sector}' }\n")
    assert "no column branch" in told
    assert "id, company, sector" in told


def test_a_header_of_one_cell_asks_after_the_delimiter():
    assert "Is the delimiter really ','" in refused(ACCOUNTS, header=("id;company",))


def test_a_map_for_other_records_is_refused():
    assert refused('records = "users"\n' + ACCOUNTS) == "records: the map is for users, not for accounts"


def test_only_deals_have_a_pipeline():
    assert "pipeline: accounts have none" in refused(ACCOUNTS + '[pipeline]\nname = "p"\n')


def test_only_what_refers_to_a_record_can_make_it():
    assert "fields.industry.create_missing" in refused(ACCOUNTS + "industry={column='sector', create_missing=true}\n")
    assert "create_missing is not true" in refused(ACCOUNTS + "parent={column='sector', create={name='company'}}\n")
    told = refused(ACCOUNTS + "parent={column='sector', create_missing=true, create={parent='company'}}\n")
    assert "fields.parent.create: can't refer to further records" in told
