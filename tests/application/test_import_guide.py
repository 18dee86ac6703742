"""What docs/import.md lists is what there is."""

import re
from pathlib import Path

from application.importing.catalogue import KINDS
from application.importing.mapping import FieldMap, read_map

GUIDE = (Path(__file__).parents[2] / "docs" / "import.md").read_text()


def test_the_guide_lists_each_field_of_each_kind():
    for name, kind in KINDS.items():
        row = re.search(rf"^\| {name} \| (.*) \|$", GUIDE, re.MULTILINE)
        assert row is not None
        listed = [each.split(" → ") for each in row.group(1).replace("**", "").split(", ")]
        assert {field: (entity or [None])[0] for field, *entity in listed} == {
            field: described.entity for field, described in kind.fields.items()
        }
        assert tuple(re.findall(r"\*\*(\w+)\*\*", row.group(1))) == kind.required


def test_the_guide_explains_each_key_of_a_field():
    explained = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert explained == set(FieldMap.__struct_fields__) - {"create"}


def test_the_guides_maps_can_be_read():
    first, second = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    assert read_map(first.encode()).aliases == {"product": {"GTXPro": "GTX Pro"}}
    assert read_map(f'external_id = "id"\n{second}'.encode()).pipeline is not None


def test_the_samples_can_be_read():
    for path in (Path(__file__).parents[2] / "docs" / "samples").rglob("*.toml"):
        assert read_map(path.read_bytes()).records == path.stem
