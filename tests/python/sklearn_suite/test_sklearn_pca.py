import coterie
from borrowed import borrowed_tests

LEFT_OUT = {
    "test_assess_dimension_bad_rank": "tests a private function of scikit-learn",
    "test_assess_dimension_rank_one": "tests a private function of scikit-learn",
    "test_small_eigenvalues_mle": "tests private functions of scikit-learn",
    "test_pca_array_api_compliance": "wants arrays of other libraries back; ours are NumPy's",
    "test_pca_mle_array_api_compliance": "wants arrays of other libraries back; ours are NumPy's",
    "test_array_api_error_and_warnings_on_unsupported_params": "as above",
}
globals().update(
    borrowed_tests(
        "sklearn.decomposition.tests.test_pca",
        "sklearn.decomposition",
        {"PCA": coterie.PCA},
        LEFT_OUT,
    )
)
