import coterie
from borrowed import borrowed_tests

LEFT_OUT = {}
globals().update(
    borrowed_tests(
        "sklearn.cluster.tests.test_dbscan",
        "sklearn.cluster",
        {"DBSCAN": coterie.DBSCAN, "dbscan": coterie.dbscan},
        LEFT_OUT,
    )
)
