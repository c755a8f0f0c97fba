"""The marketers' names for customers, by how recently, how often and for how much they buy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A name, the customers it fits best, and what to do for them.

    Recency, frequency and monetary are mean ranks among all customers: 0 the least, 1 the most
    (the most recent, for recency). The places follow the usual RFM score grids. A name is
    only given where the feature that it ``needs`` is in use.
    """

    name: str
    recency: float
    frequency: float
    monetary: float
    action: str
    needs: str = "recency"


TERMS = (
    Term(
        "Champions",
        0.82,
        0.88,
        0.88,
        "Reward them: early access, a personal thank-you, and ask for reviews and referrals.",
    ),
    Term(
        "Loyal",
        0.62,
        0.72,
        0.72,
        "Keep them close: a loyalty programme, and the next step up from what they buy.",
    ),
    Term(
        "Potential Loyalists",
        0.75,
        0.5,
        0.48,
        "Turn them into regulars: recommend what goes with their orders, offer membership.",
    ),
    Term(
        "New",
        0.85,
        0.22,
        0.25,
        "Welcome them: help with the first steps and a reason to order a second time soon.",
    ),
    Term(
        "Slipping",
        0.5,
        0.8,
        0.8,
        "Ask why they come less often: a reminder in their usual rhythm, before any discount.",
    ),
    Term(
        "Promising",
        0.65,
        0.25,
        0.35,
        "Stay in their minds: show what is popular, with a small offer on the next order.",
    ),
    Term(
        "Big Spenders",
        0.5,
        0.3,
        0.82,
        "Bring them back for more: premium products, personal advice, no discount needed.",
        needs="monetary",
    ),
    Term(
        "Need Attention",
        0.42,
        0.5,
        0.5,
        "Reach out now: a limited offer built on what they bought before.",
    ),
    Term(
        "About To Sleep",
        0.38,
        0.25,
        0.25,
        "Remind them that you are there: popular products, a modest discount.",
    ),
    Term(
        "At Risk",
        0.25,
        0.66,
        0.66,
        "Win them back before they are gone: a personal message and a strong offer.",
    ),
    Term(
        "Can't Lose Them",
        0.16,
        0.88,
        0.88,
        "Call or write in person: find out what went wrong and put it right.",
    ),
    Term(
        "Hibernating",
        0.22,
        0.35,
        0.4,
        "Try one good offer in their favourite category; do not spend more than that.",
    ),
    Term(
        "Lost",
        0.14,
        0.2,
        0.18,
        "Spend little: one last win-back mail, then leave them out of costly campaigns.",
    ),
)
NAMES = tuple(term.name for term in TERMS)
OTHER_ACTION = "Look at what sets them apart, and try one offer made for it on a small group first."
OUTLIERS = "Outliers"  # the name of those who belong to no segment
OUTLIERS_ACTION = (
    "Look at them one by one: the best deserve personal care, the oddest a check of the data."
)
