from borrowed import borrowed_tests

import coterie

LEFT_OUT: dict[str, str] = {}
globals().update(
    borrowed_tests(
        "sklearn.cluster.tests.test_k_means",
        "sklearn.cluster",
        {"KMeans": coterie.KMeans, "kmeans_plusplus": coterie.kmeans_plusplus},
        LEFT_OUT,
    )
)
