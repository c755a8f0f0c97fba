"""Names, shares and words for segments that a reader can picture."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from coterie.segmentation.describe import describe
from coterie.segmentation.errors import InputError
from coterie.segmentation.features import Customers, standardise
from coterie.segmentation.results import Segment
from coterie.segmentation.vocabulary import NAMES, OTHER_ACTION

RFM = ("recency", "frequency", "monetary")


def described(
    groups: list[tuple[float, ...]],
    names: tuple[str, ...] = RFM,
    own: dict[str, str] | None = None,
    revenue: bool = True,
) -> tuple[Segment, ...]:
    """Ten customers at each place, one segment each."""
    raw = np.repeat(np.array(groups, dtype=np.float64), 10, axis=0)
    labels = np.repeat(np.arange(1, len(groups) + 1), 10).astype(np.int32)
    z, features = standardise(raw, names)
    ids = pa.chunked_array([pa.array(range(len(raw)))])
    customers = Customers(ids, raw, z, features, raw[:, -1] if revenue else None)
    return describe(customers, labels, np.linspace(0.1, 0.9, len(groups)), own or {})


GROUPS = [(3, 20, 900), (200, 15, 600), (5, 1, 40), (300, 1, 10)]
NAMED = ["Champions", "At Risk", "Promising", "Lost"]


def test_the_classic_corners_get_the_classic_names() -> None:
    assert [segment.name for segment in described(GROUPS)] == NAMED


def test_shares_medians_and_words_are_those_of_the_members() -> None:
    best, _, _, worst = described(GROUPS)
    assert (best.id, best.size, best.share_of_customers) == (1, 10, 0.25)
    assert best.share_of_revenue == pytest.approx(900 / 1550)
    assert best.medians == {"recency": 3, "frequency": 20, "monetary": 900}
    assert best.summary == "They ordered most recently, buy most often and spend most."
    assert worst.summary == "They have been away longest, buy least often and spend least."
    assert best.distinguishing[:2] == (
        "900 spent, 2.8 times the typical 320",
        "20 orders, 2.5 times the typical 8",
    )
    assert "1 order (typical: 8)" in worst.distinguishing
    assert best.z_means["monetary"] > 1
    assert best.silhouette == pytest.approx(0.1)


def test_no_segment_is_called_most_recent_beside_a_card_with_a_smaller_median() -> None:
    first = [5.0] * 6 + [300.0] * 4  # the smaller median, yet the worse ranks on average
    raw = np.column_stack([first + [6.0] * 10 + [100.0] * 10, np.arange(30.0)])
    z, features = standardise(raw, ("recency", "frequency"))
    customers = Customers(pa.chunked_array([pa.array(range(30))]), raw, z, features, None)
    told = describe(customers, np.repeat([1, 2, 3], 10).astype(np.int32), np.zeros(3), {})
    assert [segment.medians["recency"] for segment in told] == [5, 6, 100]
    assert not any("most recently" in segment.summary for segment in told)
    assert "away longest" in told[2].summary


@pytest.mark.parametrize("k", [2, 5, len(NAMES), len(NAMES) + 3])
def test_names_are_unique_for_any_number_of_segments(k: int) -> None:
    groups = [(10 + i, 40 - i, 1000 - 20 * i) for i in range(k)]
    names = [segment.name for segment in described(groups)]
    assert len(set(names)) == k
    assert names[0] in ("Champions", "Loyal")
    assert k < len(NAMES) or set(NAMES) <= set(names)  # all are taken before one comes twice


def test_names_can_be_overridden_but_not_doubled() -> None:
    own = {"Champions": "Our stars", "4": "Ghosts"}
    names = [segment.name for segment in described(GROUPS, own=own)]
    assert names == ["Our stars", "At Risk", "Promising", "Ghosts"]
    with pytest.raises(InputError, match="'Promising' would name segments 3 and 4"):
        described(GROUPS, own={"4": "Promising"})


def test_features_beyond_rfm_are_named_by_what_stands_out() -> None:
    groups = [(400.0, 30.0), (10.0, 2.0), (10.0, 2.1)]
    segments = described(groups, names=("tenure", "items"), revenue=False)
    assert segments[0].name == "High tenure, high items"
    assert segments[1].name == "Low items, low tenure"
    assert len({segment.name for segment in segments}) == 3
    assert segments[0].action == OTHER_ACTION
    assert segments[0].share_of_revenue is None
    assert segments[0].summary == "They are above the average in tenure."


def test_recency_and_one_more_are_enough_for_the_vocabulary() -> None:
    groups = [(2, 30), (40, 4), (41, 4), (300, 1)]
    names = [s.name for s in described(groups, names=("recency", "frequency"))]
    assert (names[0], names[3]) == ("Champions", "Lost")


def test_a_loss_has_no_shares() -> None:
    segments = described([(3, 2, -5), (9, 1, 2)])
    assert [segment.share_of_revenue for segment in segments] == [None, None]


def test_nobody_is_a_big_spender_where_nothing_is_known_of_spending() -> None:
    places = [(day, count) for day in (1, 40, 80, 160, 320) for count in (1, 3, 9)]
    segments = described(places, ("recency", "frequency"), revenue=False)
    assert len({segment.name for segment in segments}) == len(places)
    assert not any("Spender" in segment.name for segment in segments)
