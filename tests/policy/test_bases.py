"""Which bases are seen: only those that somebody answers for, and what is reached through them."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.policy.bases import Base, RecordedBases, Unseen, unseen, why_unseen

ROOT = "acme/cust"
NAMES = [f"u/{letter}" for letter in "abcde"]

BASES = st.fixed_dictionaries(
    {
        name: st.builds(
            Base,
            name=st.just(name),
            mark=st.sampled_from(["1", "2"]),
            named_by=st.frozensets(st.sampled_from([ROOT, *NAMES]), min_size=1),
            is_open=st.booleans(),
            is_readable=st.booleans(),
        )
        for name in NAMES
    }
)
RECORDS = st.none() | st.frozensets(st.tuples(st.sampled_from(NAMES), st.sampled_from(["1", "2"])))


def test_each_base_by_itself() -> None:
    """The whole table: open, readable, and what the grant was made with."""
    records: dict[RecordedBases | None, Unseen | None] = {
        None: None,
        frozenset(): Unseen.NOT_RECORDED,
        frozenset({("u/b", "1")}): Unseen.NOT_RECORDED,
        frozenset({("u/a", "2")}): Unseen.REPLACED,
        frozenset({("u/a", "1")}): None,
        frozenset({("u/a", "1"), ("u/a", "2")}): None,
    }
    for (record, why), is_open, is_readable in product(
        records.items(), (False, True), (False, True)
    ):
        base = Base(name="u/a", mark="1", is_open=is_open, is_readable=is_readable)
        expected = None if is_open else why if is_readable else Unseen.UNREADABLE
        assert why_unseen(base, record) is expected


@given(bases=BASES, record=RECORDS)
def test_what_is_reached(bases: dict[str, Base], record: RecordedBases | None) -> None:
    """Seen is what a walk from the repository finds that never steps on what is not seen."""
    todo, walked = [ROOT], {ROOT}
    while todo:
        at = todo.pop()
        for base in bases.values():
            steps = at in base.named_by and base.name not in walked
            if steps and why_unseen(base, record) is None:
                walked.add(base.name)
                todo.append(base.name)
    hidden = unseen(ROOT, bases.values(), record)
    assert hidden.keys() == bases.keys() - walked
    for name, why in hidden.items():
        assert why is (why_unseen(bases[name], record) or Unseen.BEHIND)


@given(bases=BASES, record=st.frozensets(st.sampled_from([(name, "1") for name in NAMES])))
def test_other_bases_never_widen_what_a_record_opens(
    bases: dict[str, Base], record: RecordedBases
) -> None:
    seen = bases.keys() - unseen(ROOT, bases.values(), record).keys()
    for name in seen:
        assert bases[name].is_open or (name, bases[name].mark) in record
