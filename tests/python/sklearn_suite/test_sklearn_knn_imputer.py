import coterie
from borrowed import borrowed_tests

LEFT_OUT = {}
globals().update(
    borrowed_tests(
        "sklearn.impute.tests.test_knn",
        "sklearn.impute",
        {"KNNImputer": coterie.KNNImputer},
        LEFT_OUT,
    )
)
