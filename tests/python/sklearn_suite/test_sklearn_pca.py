from borrowed import borrowed_tests

import coterie

LEFT_OUT: dict[str, str] = {}
globals().update(
    borrowed_tests(
        "sklearn.decomposition.tests.test_pca",
        "sklearn.decomposition",
        {"PCA": coterie.PCA},
        LEFT_OUT,
    )
)
