import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import coterie
import numpy as np
import pytest
import threadpoolctl
from coterie import KMeans, _core

X = np.random.default_rng(0).normal(size=(20_000, 8))


def fit():
    return KMeans(5, random_state=0, max_iter=5).fit(X)


def threads_of_a_new_process(prepare=None, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")}
    return int(
        subprocess.run(
            [sys.executable, "-c", "import coterie; print(coterie.num_threads())"],
            env={**kept, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
            preexec_fn=prepare,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )


def test_the_environment_says_how_many():
    assert threads_of_a_new_process(OMP_NUM_THREADS="3") == 3
    assert threads_of_a_new_process(COTERIE_NUM_THREADS="5", OMP_NUM_THREADS="3") == 5


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_the_processors_a_process_may_use_are_the_limit():
    one = min(os.sched_getaffinity(0))
    assert threads_of_a_new_process(lambda: os.sched_setaffinity(0, {one})) == 1


def test_the_number_is_set_and_put_back():
    first = coterie.num_threads()
    coterie.set_num_threads(7)
    assert coterie.num_threads() == 7
    coterie.set_num_threads(0)
    assert coterie.num_threads() == first
    with pytest.raises(ValueError, match="-1"):
        coterie.set_num_threads(-1)
    assert coterie.num_threads() == first


def test_threadpoolctl_knows_the_pool(threads):
    threads(3)
    (pool,) = [one for one in threadpoolctl.threadpool_info() if one["user_api"] == "coterie"]
    assert pool["num_threads"] == 3
    assert pool["version"] == coterie.__version__
    with threadpoolctl.threadpool_limits(1):
        assert coterie.num_threads() == 1
    with threadpoolctl.threadpool_limits(2, user_api="coterie"):
        assert coterie.num_threads() == 2
    assert coterie.num_threads() == 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_forked_after_a_fit_can_fit(threads):
    threads(4)
    expected = fit().inertia_
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, repr(fit().inertia_).encode())
        os._exit(0)
    os.close(writer)
    # A child that hangs is ended, so that the read below meets the end of the file.
    guard = threading.Timer(30, os.kill, (child, 9))
    guard.start()
    answer = os.read(reader, 100).decode()
    guard.cancel()
    os.waitpid(child, 0)
    os.close(reader)
    assert answer == repr(expected)


def test_python_threads_may_fit_at_the_same_time(threads):
    threads(2)
    expected = fit().cluster_centers_.tobytes()
    with ThreadPoolExecutor(4) as pool:
        found = {one.cluster_centers_.tobytes() for one in pool.map(lambda _: fit(), range(8))}
    assert found == {expected}


def test_other_python_threads_run_while_the_engine_works():
    working, ticks = threading.Event(), 0

    def tick():
        nonlocal ticks
        working.wait()
        while working.is_set():
            ticks += 1
            time.sleep(0)  # lets the GIL go

    labels = np.arange(len(X), dtype=np.int32) % 5
    other = threading.Thread(target=tick)
    other.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(100)  # so that nobody is made to let it go
    try:
        working.set()
        before = ticks
        _core.silhouette_samples(X, labels, metric=_core.Metric.euclidean, device=_core.Device.cpu)
        during = ticks - before
    finally:
        working.clear()
        sys.setswitchinterval(interval)
        other.join()
    assert during > 0
