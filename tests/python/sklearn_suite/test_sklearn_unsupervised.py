from borrowed import borrowed_tests
from coterie import metrics

NAMES = (
    "calinski_harabasz_score",
    "davies_bouldin_score",
    "silhouette_samples",
    "silhouette_score",
)
LEFT_OUT = {
    "test_silhouette_reduce": "tests a private function of scikit-learn",
    "test_silhouette": "uses metric='precomputed'; test_metrics.py has its counterpart",
    "test_silhouette_paper_example": "uses metric='precomputed', which we do not offer",
    "test_silhouette_nonzero_diag": "uses metric='precomputed', which we do not offer",
    "test_silhouette_samples_precomputed_sparse": "uses metric='precomputed'",
    "test_silhouette_score_integer_precomputed": "uses metric='precomputed'",
}
globals().update(
    borrowed_tests(
        "sklearn.metrics.cluster.tests.test_unsupervised",
        "sklearn.metrics.cluster",
        {name: getattr(metrics, name) for name in NAMES},
        LEFT_OUT,
    )
)
