"""scikit-learn's own checks of what an estimator must keep to."""

import pytest
from coterie import DBSCAN, PCA, KMeans, KNNImputer, NearestNeighbors
from sklearn.utils.estimator_checks import parametrize_with_checks

# scikit-learn lists the same two for its own KMeans: a weight of 2 draws other starting centres
# than a row given twice.
SAME_SEEDS_ARE_OTHER_ROWS = "weights change which rows the seed draws"
KMEANS_MAY_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": SAME_SEEDS_ARE_OTHER_ROWS,
    "check_sample_weight_equivalence_on_sparse_data": SAME_SEEDS_ARE_OTHER_ROWS,
}


# As scikit-learn's own.
PRECOMPUTED_MAY_FAIL = {"check_clustering": "gives negative distances"}


def may_fail(estimator):
    if isinstance(estimator, DBSCAN) and estimator.metric == "precomputed":
        return PRECOMPUTED_MAY_FAIL
    return KMEANS_MAY_FAIL if isinstance(estimator, KMeans) else {}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        KMeans(n_clusters=2, n_init=2, max_iter=5),
        KMeans(n_clusters=3, init="random"),
        PCA(),
        DBSCAN(),
        DBSCAN(metric="precomputed"),
        DBSCAN(metric="cosine"),
        NearestNeighbors(),
        NearestNeighbors(metric="precomputed"),
        KNNImputer(),
        KNNImputer(weights="distance", add_indicator=True),
    ],
    expected_failed_checks=may_fail,
)
def test_keeps_to_scikit_learns_conventions(estimator, check):
    check(estimator)
