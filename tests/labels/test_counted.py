"""Which corrections count: one answer, in the queue, in exports, in agreement, on the pages."""

from __future__ import annotations

import pytest
from labels_made import box, new_store, nonce, photo_bytes, save

from rustseg_jax import labels
from rustseg_jax.labels.queries.stats import count_states
from rustseg_jax.labels.records import STATUSES, is_counted

REVIEWS = {"approved": "approve", "rejected": "reject", "flagged": "flag"}


@pytest.fixture(params=STATUSES)
def said(request, tmp_path):
    """A photo with one correction, of each status."""
    store = new_store(tmp_path)
    photo = store.add_photo(photo_bytes())
    made = save(store, photo, mask=box(0, 0, 5, 5))
    if request.param == "withdrawn":
        store.withdraw(made.id, nonce=nonce(), who="ada")
    elif request.param != "open":
        store.review(made.id, REVIEWS[request.param], nonce=nonce(), who="bob")
    return request.param, store, photo, made


def test_by_hand() -> None:
    counted = {status for status in STATUSES if is_counted(status)}
    assert counted == {"open", "approved", "flagged"}
    assert {status for status in STATUSES if is_counted(status, approved=True)} == {"approved"}


def test_everything_asks_the_same(said) -> None:
    status, store, photo, made = said
    counts = is_counted(status)
    told = labels.history(store, photo)
    assert told.status == {made.id: status}
    assert bool(told.counted) == counts
    assert bool(labels.opinions(told)) == counts
    assert (labels.latest(store, photo) is not None) == counts
    assert labels.export_extent(store).photos == counts
    # Whoever's word does not count may be asked again, as everybody else.
    waits = [case.photo for case in labels.next_cases(store, who="ada")]
    assert waits == ([] if counts else [photo.sha256])
    assert labels.count_queue(store) == count_states(store)["waiting"] == (not counts)
    numbers = labels.count_labels(store)
    assert numbers["photos"]["corrected"] == counts
    assert [row["corrections"] for row in numbers["experts"]] == ([1] if counts else [])
    assert labels.repeats(store, "ada", days=0) == ((photo.sha256,) if counts else ())
    save(store, photo, "bob")
    assert labels.shared_photos(store) == ([photo.sha256] if counts else [])


def test_of_approved_ones_only(said) -> None:
    status, store, photo, _ = said
    counts = is_counted(status, approved=True)
    assert (labels.latest(store, photo, approved=True) is not None) == counts
    assert labels.export_extent(store, approved=True).photos == counts


def test_a_review_that_is_taken_back_counts_again(tmp_path) -> None:
    store = new_store(tmp_path)
    photo = store.add_photo(photo_bytes())
    made = save(store, photo)
    for action, waiting in (("reject", 1), ("comment", 1), ("approve", 0), ("flag", 0)):
        store.review(made.id, action, nonce=nonce(), who="bob", comment="why")
        assert labels.count_queue(store) == waiting
    assert labels.verify_labels(store).good
