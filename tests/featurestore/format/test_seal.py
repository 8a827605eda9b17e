import hashlib
import json

import pytest

from featurestore.format.seal import seal, unseal


def test_a_sealed_document_is_json_whose_last_key_is_the_hash_of_what_stands_before() -> None:
    data = seal(json.dumps({"a": 1, "b": ["ü"]}, indent=1, ensure_ascii=False))
    value = json.loads(data)
    body, _, _ = data.rpartition(b',\n "seal"')
    assert value.pop("seal") == hashlib.sha256(body).hexdigest()
    assert value == {"a": 1, "b": ["ü"]}
    assert json.loads(unseal(data)[0]) == value


def test_every_flipped_bit_is_seen() -> None:
    data = seal(json.dumps({"a": 1, "b": {"c": "text"}}, indent=1))
    assert unseal(data)[1]
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            assert not unseal(bytes(changed))[1]


@pytest.mark.parametrize("data", [b"", b"{}", b'{\n "a": 1\n}\n', b',\n "seal": "0"\n}\n'])
def test_what_has_no_seal_is_left_as_it_is(data: bytes) -> None:
    assert unseal(data) == (data, False)
