import coterie
from borrowed import borrowed_tests

LEFT_OUT = {
    "test_euclidean_distance": "tests private functions of scikit-learn",
    "test_inertia": "tests private functions of scikit-learn",
    "test_is_same_clustering": "tests a private function of scikit-learn",
    "test_relocate_empty_clusters": "tests a private function of scikit-learn",
    "test_minibatch_update_consistency": "tests MiniBatchKMeans alone",
    "test_minibatch_kmeans_partial_fit_init": "tests MiniBatchKMeans alone",
    "test_minibatch_kmeans_verbose": "tests MiniBatchKMeans alone",
    "test_minibatch_kmeans_warning_init_size": "tests MiniBatchKMeans alone",
    "test_minibatch_sensible_reassign": "tests MiniBatchKMeans alone",
    "test_minibatch_reassign": "tests MiniBatchKMeans alone",
    "test_minibatch_with_many_reassignments": "tests MiniBatchKMeans alone",
    "test_minibatch_kmeans_init_size": "tests MiniBatchKMeans alone",
    "test_minibatch_declared_convergence": "tests MiniBatchKMeans alone",
    "test_minibatch_iter_steps": "tests MiniBatchKMeans alone",
    "test_k_means_function": "tests scikit-learn's k_means(), which we do not offer",
    "test_kmeans_verbose": "wants scikit-learn's printed lines; verbose is a progress bar here",
    "test_sample_weight_init": "calls a private method; test_kmeans.py has its counterpart",
    "test_sample_weight_zero": "calls a private method; test_kmeans.py has its counterpart",
}
globals().update(
    borrowed_tests(
        "sklearn.cluster.tests.test_k_means",
        "sklearn.cluster",
        {"KMeans": coterie.KMeans, "kmeans_plusplus": coterie.kmeans_plusplus},
        LEFT_OUT,
    )
)
