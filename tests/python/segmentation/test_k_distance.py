"""The k-distance curve and its bend, on curves that a reader can check."""

from __future__ import annotations

import numpy as np
import pytest
from coterie.segmentation import k_distance
from coterie.segmentation.config import SegmentSettings
from coterie.segmentation.density import find


def test_a_row_is_its_own_first_neighbour() -> None:
    line = np.array([[0.0], [1.0], [2.0], [4.0]])
    assert k_distance.k_distances(line, 1, 0).tolist() == [0, 0, 0, 0]
    assert k_distance.k_distances(line, 2, 0).tolist() == [1, 1, 1, 2]
    assert k_distance.k_distances(line, 4, 0).tolist() == [2, 3, 4, 4]


@pytest.mark.parametrize("k", [2, 5, 33])
def test_distances_are_those_of_all_pairs(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k_distance, "_BLOCK_VALUES", 40)  # several blocks
    z = np.random.default_rng(0).normal(size=(101, 3))
    pairs = np.sqrt(((z[:, None] - z[None]) ** 2).sum(axis=2))
    expected = np.sort(np.sort(pairs, axis=1)[:, k - 1])
    np.testing.assert_allclose(k_distance.k_distances(z, k, 0), expected, rtol=1e-12)


def test_many_rows_are_sampled_but_compared_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(1).normal(size=(300, 2))
    every = k_distance.k_distances(z, 4, 0)
    monkeypatch.setattr(k_distance, "_ROWS", 50)
    some = k_distance.k_distances(z, 4, 7)
    assert len(some) == 50
    assert np.isin(some, every).all()
    assert some.tolist() == k_distance.k_distances(z, 4, 7).tolist()
    assert some.tolist() != k_distance.k_distances(z, 4, 8).tolist()


def test_the_bend_is_the_point_furthest_below_the_chord() -> None:
    assert k_distance.bend(np.array([1.0] * 8 + [9.0, 10.0])) == 7
    assert k_distance.bend(np.array([0.0, 0.1, 0.2, 0.3, 5.0])) == 3


def test_the_bend_is_never_at_a_distance_of_nothing_unless_all_are() -> None:
    assert k_distance.bend(np.array([0.0] * 9 + [1.0])) == 9
    assert k_distance.bend(np.zeros(5)) == 0
    assert k_distance.bend(np.full(5, 3.0)) == 0


@pytest.mark.parametrize(
    ("distance", "rounded"), [(0.12341, 0.124), (0.3, 0.3), (29.0, 29.0), (1234.5, 1240.0), (0, 0)]
)
def test_a_proposal_has_three_digits_and_is_not_below_its_distance(
    distance: float, rounded: float
) -> None:
    assert k_distance.rounded_up(distance) == rounded


def test_no_distance_is_rounded_down() -> None:
    distances = np.random.default_rng(2).lognormal(sigma=9, size=2000)
    just_above = np.nextafter(np.arange(100, 1000) / 1e5, 1)
    distances = np.concatenate([distances, just_above])
    up = np.array([k_distance.rounded_up(float(d)) for d in distances])
    assert (up >= distances).all()
    assert (up <= distances * 1.0101).all()


def test_the_drawn_curve_keeps_its_ends() -> None:
    distances = np.sort(np.random.default_rng(3).random(5000))
    shares, drawn = k_distance.drawn(distances)
    assert 300 < len(drawn) <= 400
    assert (shares[-1], drawn[0], drawn[-1]) == (1.0, distances[0], distances[-1])
    assert k_distance.drawn(distances[:3])[0].tolist() == [1 / 3, 2 / 3, 1]


@pytest.mark.parametrize(("columns", "expected"), [(1, 4), (2, 4), (3, 6), (8, 16)])
def test_min_samples_follows_the_number_of_columns(columns: int, expected: int) -> None:
    assert k_distance.usual_min_samples(columns) == expected


def test_the_proposal_tells_groups_from_the_noise_around_them() -> None:
    draw = np.random.default_rng(4)
    groups = np.repeat([[0.0, 0.0], [8.0, 8.0]], 100, axis=0) + draw.normal(0, 0.3, (200, 2))
    around = draw.uniform(-20, 30, (12, 2))
    model, density = find(np.vstack([groups, around]), SegmentSettings(algorithm="dbscan"))
    assert density.clusters == 2
    assert not density.eps_given
    assert density.eps == density.bend
    assert (model.labels_[200:] == -1).sum() >= 10
    assert (model.labels_[:200] == -1).sum() <= 6


@pytest.mark.parametrize(
    ("number", "written"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (112, "112th")]
)
def test_ordinals(number: int, written: str) -> None:
    assert k_distance.ordinal(number) == written
