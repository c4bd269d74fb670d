"""Every view has a door (security check 11 of section 2: closed by default, proved over the whole URL table)."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

# Sign-in pages come from allauth and keep their own doors; they are in the access matrix like every other page.
FOREIGN = ("allauth.",)


def patterns(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry)
        else:
            yield entry


def test_every_view_has_one_door() -> None:
    without = {
        p.name
        for p in patterns()
        if not p.callback.__module__.startswith(FOREIGN) and getattr(p.callback, "door", None) is None
    }
    assert without == set()


def test_every_url_has_the_name_of_its_view() -> None:
    unnamed = [str(p.pattern) for p in patterns() if not p.name]
    assert unnamed == []
    names = [p.name for p in patterns()]
    assert sorted(n for n in set(names) if names.count(n) > 1) == []
