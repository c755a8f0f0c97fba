import coterie
from borrowed import borrowed_tests

LEFT_OUT = {
    "test_auto_algorithm": "tests a private attribute of scikit-learn's",
    "test_unsupervised_inputs": "wants scikit-learn's classifiers, given our model, to be exact; "
    "test_neighbors.py has its counterpart",
    "test_k_and_radius_neighbors_duplicates": "wants row 1 as the nearest other of the last of "
    "three equal rows, not row 0; test_neighbors.py has its counterpart",
}
globals().update(
    borrowed_tests(
        "sklearn.neighbors.tests.test_neighbors",
        "sklearn.neighbors",
        {"NearestNeighbors": coterie.NearestNeighbors},
        LEFT_OUT,
        only_ours=True,
    )
)
