"""Sealed columns and the keys that open them (security checks 53, 54, 55)."""

import pytest
from django.core.exceptions import FieldError
from django.db import connection

from practice.models import Client, User
from practice.sealed import Sealed, Tampered, blind, seal, unseal


def raw(client: Client, column: str) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM practice_client WHERE number = %s", [client.number])
        return bytes(cursor.fetchone()[0])


def test_sealed_text_comes_back_and_is_not_in_the_row(sam: Client) -> None:
    again = Client.objects.get(pk=sam.pk)
    assert again.name_used == "Sam Whitehorse"
    assert again.reach["voicemail"] is False
    assert b"Whitehorse" not in raw(sam, "name_used")


def test_sealed_value_moved_to_another_row_or_column_does_not_open(sam: Client, kit: Client) -> None:
    kit.__dict__["name_used"] = Sealed(raw(sam, "name_used"))
    with pytest.raises(Tampered):
        _ = kit.name_used
    sam.__dict__["pronouns"] = Sealed(raw(sam, "name_used"))
    with pytest.raises(Tampered):
        _ = sam.pronouns


def test_sealed_value_with_a_changed_byte_does_not_open(sam: Client) -> None:
    blob = bytearray(raw(sam, "name_used"))
    blob[-1] ^= 1
    sam.__dict__["name_used"] = Sealed(bytes(blob))
    with pytest.raises(Tampered):
        _ = sam.name_used


def test_sealed_column_cannot_be_searched_or_written_in_bulk(sam: Client) -> None:
    with pytest.raises(FieldError):
        Client.objects.filter(name_used="Sam Whitehorse").exists()
    with pytest.raises(TypeError):
        Client.objects.update(name_used="Sam")


def test_sealed_value_does_not_show_itself(sam: Client) -> None:
    assert "Whitehorse" not in repr(Client.objects.filter(pk=sam.pk).values("name_used")[0])


def test_seal_of_the_same_text_differs_each_time() -> None:
    one, two = seal(b"same", "a|1|b"), seal(b"same", "a|1|b")
    assert one != two
    assert unseal(one, "a|1|b") == unseal(two, "a|1|b") == b"same"


@pytest.mark.parametrize("text", ["", "x", "é̈ naïve", "👩‍👩‍👧", "‮abc", "a" * 100_000])
def test_seal_gives_back_exactly_what_went_in(text: str) -> None:
    assert unseal(seal(text.encode(), "t"), "t").decode() == text


def test_blind_index_is_equal_for_equal_texts_and_purposes_only() -> None:
    assert blind("email", " Sam@Example.NET ") == blind("email", "sam@example.net")
    assert blind("email", "sam@example.net") != blind("phone", "sam@example.net")


def test_clients_are_found_by_the_beginning_of_each_name(sam: Client, kit: Client, maya: User, omar: User) -> None:
    assert list(Client.objects.named("whi")) == [sam]
    assert list(Client.objects.named("WHITEHORSE sam")) == [sam]
    assert list(Client.objects.visible_to(omar).named("whi")) == []
