from borrowed import borrowed_tests

from coterie import metrics

NAMES = (
    "calinski_harabasz_score",
    "davies_bouldin_score",
    "silhouette_samples",
    "silhouette_score",
)
LEFT_OUT: dict[str, str] = {}
globals().update(
    borrowed_tests(
        "sklearn.metrics.cluster.tests.test_unsupervised",
        "sklearn.metrics.cluster",
        {name: getattr(metrics, name) for name in NAMES},
        LEFT_OUT,
    )
)
