"""The rule that decides, each vote on curves that a reader can check, and a clear case."""

from __future__ import annotations

import numpy as np
import pytest
from coterie.segmentation.choose_k import choose_k, decide, elbow, gap_vote
from coterie.segmentation.config import SegmentSettings
from coterie.segmentation.progress import Progress

KS = (3, 4, 5, 6)


def test_the_largest_k_that_passes_the_floor_is_taken_even_past_a_weak_one() -> None:
    chosen, reason = decide(KS, np.array([0.95, 0.85, 0.9, 0.7]), 0.9)
    assert chosen == 5
    assert "5 is the largest number of segments from 3 to 6" in reason
    assert "0.90" in reason


def test_when_none_passes_the_most_stable_is_taken_and_the_reason_says_so() -> None:
    chosen, reason = decide(KS, np.array([0.5, 0.8, 0.7, 0.6]), 0.9)
    assert chosen == 4
    assert "No number of segments from 3 to 6 reaches" in reason
    assert "0.80" in reason


def test_a_stability_just_below_the_floor_does_not_read_as_if_it_passed() -> None:
    _, reason = decide((2,), np.array([0.8999]), 0.9)
    assert "0.8999" in reason


def test_the_elbow_is_the_point_furthest_below_the_chord() -> None:
    assert elbow(KS, np.array([100.0, 40.0, 30.0, 20.0])) == 4
    assert elbow((3, 4), np.array([9.0, 1.0])) == 3  # two points have no bend


def test_the_gap_vote_is_the_first_k_that_the_next_does_not_beat_by_its_error() -> None:
    error = np.full(4, 0.1)
    assert gap_vote(KS, np.array([1.0, 1.5, 1.55, 1.9]), error) == 4
    assert gap_vote(KS, np.array([1.0, 1.5, 2.0, 2.5]), error) == 6  # still rising: the largest


def test_three_clear_groups_get_three_by_every_criterion() -> None:
    draw = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    z = np.repeat(centres, 40, axis=0) + draw.normal(0, 0.3, (120, 2))
    choice, model = choose_k(
        z, SegmentSettings(k_range=(2, 6), min_stability=0.99), Progress(quiet=True)
    )
    assert choice.chosen == model.n_clusters == 3
    assert choice.votes == {
        "elbow": 3,
        "silhouette": 3,
        "gap": 3,
        "davies_bouldin": 3,
        "calinski_harabasz": 3,
        "stability": 3,
    }
    assert choice.stability[1] == 1.0
    assert choice.stability_error[1] == 0.0
    assert choice.ssd.tolist() == sorted(choice.ssd, reverse=True)
    assert len(np.unique(model.labels_[:40])) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_choice(seed: int) -> None:
    z = np.random.default_rng(5).normal(size=(80, 2))
    settings = SegmentSettings(k_range=(2, 4), seed=seed)
    first, _ = choose_k(z, settings, Progress(quiet=True))
    second, _ = choose_k(z, settings, Progress(quiet=True))
    assert first.stability.tolist() == second.stability.tolist()
    assert first.gap.tolist() == second.gap.tolist()
